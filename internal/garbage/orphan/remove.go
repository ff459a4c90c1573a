package orphan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// removalsAtOnce is enough to use up EC2's rate of deletions.
const removalsAtOnce = 8

// Remove removes orphans of a plan, each after another look at what may name it by now. One
// that cannot be removed keeps no other: it stays in the result, with the reason. It may
// repeat: what is gone is removed.
func (c *Collector) Remove(ctx context.Context, p *heartbeat.Recorder, in contract.RemoveOrphansInput) (contract.OrphanResult, error) {
	var mu sync.Mutex
	var res contract.OrphanResult
	err := parallel.ForEach(ctx, removalsAtOnce, in.Orphans, func(ctx context.Context, row contract.Orphan) error {
		why, err := c.removeOne(ctx, in, row)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			why = "could not be removed: " + err.Error()
		}
		mu.Lock()
		defer mu.Unlock()
		if why != "" {
			row.Reason = why
			res.Kept = append(res.Kept, row)
			return nil
		}
		res.Removed++
		res.Gone = append(res.Gone, row)
		p.Count(1, 0)
		return nil
	})
	return res, err
}

// removeOne removes an orphan, or says why it stays.
func (c *Collector) removeOne(ctx context.Context, in contract.RemoveOrphansInput, row contract.Orphan) (string, error) {
	switch row.Kind {
	case contract.OrphanSnapshot:
		return c.removeSnapshot(ctx, cmp.Or(in.Cluster, c.Cluster), row)
	case contract.OrphanRun:
		return c.removeRun(ctx, row)
	case contract.OrphanDirectory:
		return c.removeDirectory(ctx, in.Run, row)
	case contract.OrphanUpload:
		return c.removeUpload(ctx, row)
	case contract.OrphanContent:
		return "", c.Objects.DeleteContent(ctx, row.ID, row.UID)
	case contract.OrphanVolumeSnapshot:
		return c.removeVolumeSnapshot(ctx, row)
	case contract.OrphanDrill:
		return c.removeCopy(ctx, row)
	}
	return "this worker does not know what a " + row.Kind + " is", nil
}

func (c *Collector) removeSnapshot(ctx context.Context, cluster string, row contract.Orphan) (string, error) {
	if why, err := c.whyNamed(ctx, row); why != "" || err != nil {
		return why, err
	}
	bsl, err := c.Locations.Config().Location(row.Location)
	if err != nil {
		return "", err
	}
	_, loc, err := c.Snapshots.Get(ctx, row.SnapshotLocation)
	if err != nil {
		return "", err
	}
	must := map[string]string{ebs.TagPlace: repository.PlaceDigest(bsl), ebs.TagCluster: cluster}
	switch {
	case row.UID != "" && row.CSI:
		must[ebs.TagDriverBackupUID] = row.UID
	case row.UID != "":
		must[ebs.TagBackupUID] = row.UID
	}
	if row.CSI || row.UID == "" {
		if why, err := c.whyBound(ctx, cluster, loc, row.ID); why != "" || err != nil {
			return why, err
		}
	}
	end, err := loc.DeleteSnapshot(ctx, row.ID, must)
	return end.Reason, err
}

// whyBound says that an object of the cluster stands for a snapshot that a CSI driver made.
func (c *Collector) whyBound(ctx context.Context, cluster string, loc *ebs.Location, id string) (string, error) {
	if cluster != c.Cluster {
		return "", nil
	}
	found, err := loc.OwnSnapshots(ctx, []string{id})
	if err != nil {
		return "", err
	}
	tags := found[id].Tags
	bound, err := c.Objects.HasSnapshot(ctx, tags[ebs.TagSnapshotNamespace], tags[ebs.TagSnapshotName])
	if bound {
		return "the cluster has a VolumeSnapshot for it", err
	}
	return "", err
}

// whyNamed says what names a snapshot by now, in any location. A location that cannot be read
// may name it.
func (c *Collector) whyNamed(ctx context.Context, row contract.Orphan) (string, error) {
	if row.UID == "" {
		return "", nil
	}
	all, err := repository.AskAll(ctx, c.Locations, "", repository.SearchTimeout, func(ctx context.Context, a repository.Answer[string]) (string, error) {
		return whyNamedIn(ctx, a.Store, row)
	})
	if err != nil {
		return "", err
	}
	for _, a := range all {
		if a.Err != nil {
			return "", fmt.Errorf("storage location %s: %w", a.Location.Name, a.Err)
		}
		if a.Value != "" {
			return a.Value + " in storage location " + a.Location.Name + " names it", nil
		}
	}
	return "", nil
}

// whyNamedIn asks for the very files that would name a snapshot, which no list can hide.
func whyNamedIn(ctx context.Context, st store.Store, row contract.Orphan) (string, error) {
	if _, err := repository.ReadStagedRun(ctx, st, row.UID); !errors.Is(err, store.ErrNotFound) {
		return "run " + row.UID, err
	}
	if row.Backup == "" || archive.ValidateBackupName(row.Backup) != nil {
		return "", nil //nolint:nilerr // no file can have a name that is none
	}
	if held, err := repository.HoldsName(ctx, st, row.Backup, row.UID); held || err != nil {
		return "the name lock of backup " + row.Backup, err
	}
	var doc velerov1.Backup
	err := repository.GetJSON(ctx, st, layout.Backup{Name: row.Backup}.Metadata(), &doc)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", nil
	case err != nil:
		return "", err
	case string(doc.UID) != row.UID:
		return "", nil
	}
	m, err := repository.ReadManifest(ctx, st, row.Backup)
	if err != nil {
		return "", err
	}
	w, err := readVolumes(ctx, st, m, row.Backup)
	if _, named := w.volumes[cmp.Or(row.Handle, row.ID)]; named {
		return "backup " + row.Backup, err
	}
	return "", err
}

// removeRun cleans up after a run that has ended, if it has not been reset since.
func (c *Collector) removeRun(ctx context.Context, row contract.Orphan) (string, error) {
	_, st, err := c.Locations.Writable(ctx, row.Location)
	if err != nil {
		return "", err
	}
	staged, err := repository.ReadStagedRun(ctx, st, row.UID)
	switch gone := errors.Is(err, store.ErrNotFound); {
	case err != nil && !gone:
		return "", err
	case row.Backup != "" && (gone || staged.Run.WorkflowID == ""):
		return "", c.removeLock(ctx, st, row)
	case gone:
		return "", nil
	case staged.Run.WorkflowID == "":
		return "", repository.NewStaging(st, row.UID).Clear(ctx)
	}
	if why, err := c.whyGoesOn(ctx, staged.Run); why != "" || err != nil {
		return why, err
	}
	if staged.Restore != "" {
		ref := contract.RestoreRef{Name: staged.Restore, UID: staged.UID, Location: row.Location, Binding: staged.Binding}
		return "", c.Abandon.AbandonRestore(ctx, ref)
	}
	return "", c.Abandon.AbandonBackup(ctx, contract.BackupRef{Name: staged.Backup, UID: staged.UID, Location: row.Location, Binding: staged.Binding})
}

// removeLock lets the name go that an ended run has held whose plan is gone, with its files.
func (c *Collector) removeLock(ctx context.Context, st store.Store, row contract.Orphan) error {
	var lock repository.NameLock
	err := repository.GetJSON(ctx, st, layout.NameLock(row.Backup), &lock)
	if errors.Is(err, store.ErrNotFound) || err == nil && lock.UID != row.UID {
		return nil
	}
	if err == nil {
		var why string
		if why, err = c.whyGoesOn(ctx, lock.Run); why != "" {
			err = errors.New(why)
		}
	}
	if err != nil {
		return err
	}
	return c.Abandon.AbandonBackup(ctx, contract.BackupRef{Name: row.Backup, UID: row.UID, Location: row.Location, Binding: row.Binding})
}

func (c *Collector) whyGoesOn(ctx context.Context, run contract.Run) (string, error) {
	ended, err := c.Runs.Closed(ctx, run)
	if err != nil || ended {
		return "", err
	}
	return "run " + run.WorkflowID + " goes on", nil
}

// removeDirectory removes the files of a backup that was not committed, under the name's lock:
// no run of the name begins meanwhile.
func (c *Collector) removeDirectory(ctx context.Context, self contract.Run, row contract.Orphan) (why string, err error) {
	_, st, err := c.Locations.Writable(ctx, row.Location)
	if err != nil {
		return "", err
	}
	uid := "orphan-" + repository.NewAttempt()
	if err := repository.CheckNameFree(ctx, st, row.Backup); err != nil {
		return err.Error(), nil
	}
	if err := repository.AcquireName(ctx, st, row.Backup, repository.NameLock{UID: uid, Run: self}); err != nil {
		if errors.Is(err, store.ErrExists) {
			return "a run of that name has begun", nil
		}
		return "", err
	}
	defer func() {
		err = errors.Join(err, repository.ReleaseName(context.WithoutCancel(ctx), st, row.Backup, uid))
	}()
	d, err := readDirectory(ctx, st, row.Backup)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", nil
	case err != nil:
		return "", err
	case d.uid != row.UID || d.written.After(row.Since):
		return "somebody has written to it", nil
	}
	locked, err := lockedFile(ctx, st, row.Backup)
	if locked != "" || err != nil {
		return locked, err
	}
	return "", repository.ClearBackupFiles(ctx, st, row.Backup, uid, "")
}

// lockedFile says that a file of a backup is under a retention lock: where a bucket keeps
// versions, a deletion would only hide it.
func lockedFile(ctx context.Context, st store.Store, backup string) (string, error) {
	var keys []string
	err := st.List(ctx, layout.BackupDir(backup), func(i store.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	for _, key := range keys {
		_, err := st.CheckUnlocked(ctx, key)
		switch {
		case errors.Is(err, store.ErrLocked):
			return "retained: " + err.Error(), nil
		case err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrLockUnknown):
			return "", err
		}
	}
	return "", err
}

// removeUpload drops the uploads of a key that no run writes.
func (c *Collector) removeUpload(ctx context.Context, row contract.Orphan) (string, error) {
	_, st, err := c.Locations.Writable(ctx, row.Location)
	if err != nil {
		return "", err
	}
	if row.UID != "" {
		if _, err := repository.ReadStagedRun(ctx, st, row.UID); !errors.Is(err, store.ErrNotFound) {
			return "its run has files in progress", err
		}
	}
	if row.Backup != "" {
		if _, err := st.Head(ctx, layout.NameLock(row.Backup)); !errors.Is(err, store.ErrNotFound) {
			return "a run of that name has begun", err
		}
	}
	uploads, err := st.Uploads(ctx, row.ID)
	for _, u := range uploads {
		if u.Key == row.ID && u.Started.After(row.Since) || strings.HasPrefix(u.Key, row.ID) && u.Key != row.ID {
			return "a later upload has begun", nil
		}
	}
	if err == nil {
		_, err = st.AbortUploads(ctx, row.ID)
	}
	return "", err
}
