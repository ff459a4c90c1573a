package main

import (
	"strconv"
	"time"

	"github.com/lifeboat-backup/lifeboat/starter/internal/habits"

	"github.com/spf13/cobra"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) restoreCommand() *cobra.Command {
	restores := a.restores()
	return groupCommand("restore", "Restore backups, wholly or in part", []string{"restores"},
		a.restoreCreate(), a.restoreGet(), a.restoreDescribe(), restores.logsCommand(),
		restores.waitCommand(), restores.cancelCommand("Objects that it has made so far stay."),
		habits.RefusedCommand("delete", "what it records stays in the bucket and holds no name but its own; delete the objects that it made with kubectl"))
}

// restores are the restores that the storage locations record.
func (a *app) restores() *noun[contract.RestoreSummary, velerov1.Restore] {
	return &noun[contract.RestoreSummary, velerov1.Restore]{
		app: a, kind: temporal.KindRestore, exampleName: "nightly-20260102150405",
		readVerb: contract.ReadRestore, fileVerb: contract.ReadRestoreURL,
		layout: listLayout[contract.RestoreSummary]{
			word:   "restore",
			name:   func(r contract.RestoreSummary) string { return r.Name },
			header: []string{"NAME", "BACKUP", "STATUS", "STARTED", "COMPLETED", "ERRORS", "WARNINGS", "CREATED"},
			cells:  restoreCells,
			empty:  "No restores found. Make one with: lifeboat restore create --from-backup NAME",
		},
		rowLabels:      func(r contract.RestoreSummary) map[string]string { return r.Labels },
		rowDocument:    listing.RestoreDocument,
		listStored:     backend.Restores,
		rowOfRun:       listing.RestoreOfRun,
		storedDocument: storedRestore,
		phaseOf:        func(r *velerov1.Restore) string { return string(r.Status.Phase) },
		viewOf: func(r *velerov1.Restore, facts show.Facts, _ bool) describable {
			return show.RestoreView{Restore: *r, Facts: facts}
		},
		reportRun: a.reportRestore,
	}
}

func (a *app) restoreGet() *cobra.Command {
	return a.restores().getCommand(`List restores: those recorded in the bucket, and besides them those that are running or
have failed, as long as Temporal remembers them.`, `  lifeboat restore get
  lifeboat restore get nightly-20260102150405 -o yaml`)
}

func (a *app) restoreDescribe() *cobra.Command {
	return a.restores().describeCommand("Show what a restore did and how it went", `  lifeboat restore describe nightly-20260102150405
  lifeboat restore describe nightly-20260102150405 --details`)
}

func restoreCells(r contract.RestoreSummary) []string {
	phase := r.Phase
	if r.DryRun {
		phase += " (dry run)"
	}
	started := show.Time(timeOrZero(r.Started))
	return []string{
		r.Name, show.Or(r.Backup, "<none>"), phase, started, show.Time(timeOrZero(r.Completed)),
		strconv.Itoa(r.Errors), strconv.Itoa(r.Warnings), started,
	}
}

// storedRestore is the document of an answer, in a form that can be given to -f again.
func storedRestore(res contract.ReadResult) *velerov1.Restore {
	if res.Restore != nil {
		res.Restore.TypeMeta = manifest.RestoreDocument(contract.RestoreInput{}).TypeMeta
	}
	return res.Restore
}

// timeOrZero is the zero time, which show prints as none, for nil.
func timeOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
