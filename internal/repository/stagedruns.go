package repository

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// StagedRun is a run that has, or had, files in progress: it has staging, or a name.
type StagedRun struct {
	UID     string
	Backup  string // its name, "" for a restore
	Restore string // its name, "" for a backup
	Run     contract.Run
	Binding contract.Binding
	// Written is when the run last wrote a file that is still there.
	Written time.Time
}

// stagedPlan is what tells, in the plan of a backup or the opened archive of a restore, whose
// the staging is.
type stagedPlan struct {
	UID    string       `json:"uid"`
	Run    contract.Run `json:"run"`
	Backup struct {
		Name string `json:"name"`
	} `json:"backup"`
	Binding contract.Binding `json:"binding"`
	Restore struct {
		Name string `json:"name"`
	} `json:"restore"`
	Archive contract.OpenedArchive `json:"archive"`
}

// ListStagedRuns lists the runs that have staging in a location, or hold a name there. Of one
// that was lost before it wrote who it is, nothing but the UID and the time is known.
func ListStagedRuns(ctx context.Context, st store.Store) ([]StagedRun, error) {
	uids, err := st.Dirs(ctx, layout.StagingRoot)
	if err != nil {
		return nil, err
	}
	var runs []StagedRun
	known := map[string]int{}
	for _, uid := range uids {
		run, err := ReadStagedRun(ctx, st, uid)
		if errors.Is(err, store.ErrNotFound) {
			continue // it was cleared meanwhile
		}
		if err != nil {
			return nil, err
		}
		known[uid] = len(runs)
		runs = append(runs, run)
	}
	held, err := heldNames(ctx, st)
	for _, run := range held {
		i, staged := known[run.UID]
		switch {
		case !staged:
			runs = append(runs, run)
		case runs[i].Run.WorkflowID == "": // its plan is gone: somebody has begun to clean up
			run.Written = runs[i].Written
			runs[i] = run
		}
	}
	return runs, err
}

// ReadStagedRun tells what a staging is of; store.ErrNotFound if there is none.
func ReadStagedRun(ctx context.Context, st store.Store, uid string) (StagedRun, error) {
	run := StagedRun{UID: uid}
	files := 0
	err := st.List(ctx, layout.Staging(uid), func(i store.Info) error {
		files++
		if i.Modified.After(run.Written) {
			run.Written = i.Modified
		}
		return nil
	})
	if err == nil && files == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return run, err
	}
	for _, file := range []string{OpenedBackupFile, PlanFile} {
		var plan stagedPlan
		err := GetJSON(ctx, st, layout.Staging(uid)+file, &plan)
		switch {
		case errors.Is(err, store.ErrNotFound), archive.IsDamaged(err), err == nil && plan.UID != uid:
			continue
		case err != nil:
			return run, err
		}
		run.Run, run.Backup, run.Restore, run.Binding = plan.Run, plan.Backup.Name, plan.Restore.Name, plan.Binding
		if run.Restore != "" {
			run.Backup, run.Binding = "", plan.Archive.Ref.Binding
		}
		break
	}
	return run, nil
}

// heldNames are the runs that hold the name of a backup.
func heldNames(ctx context.Context, st store.Store) ([]StagedRun, error) {
	written := map[string]time.Time{}
	var names []string
	err := st.List(ctx, layout.NameLockDir, func(i store.Info) error {
		if name, ok := strings.CutSuffix(path.Base(i.Key), ".json"); ok {
			names, written[name] = append(names, name), i.Modified
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	locks, err := ReadDocuments(ctx, st, names, layout.NameLock, func(string) *NameLock { return new(NameLock) })
	runs := make([]StagedRun, 0, len(locks))
	for name, lock := range locks {
		runs = append(runs, StagedRun{UID: lock.UID, Backup: name, Run: lock.Run, Written: written[name]})
	}
	return runs, err
}
