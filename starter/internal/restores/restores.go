// Package restores has the commands of `lifeboat restore`.
package restores

import (
	"strconv"

	"github.com/spf13/cobra"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/noun"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Commands are those of `lifeboat restore`.
type Commands struct{ *console.Console }

// Command is `lifeboat restore`.
func (cs Commands) Command() *cobra.Command {
	restores := cs.restores()
	return command.Group("restore", "Restore backups, wholly or in part", []string{"restores"},
		cs.Create(), cs.Get(), cs.Describe(), cs.Estimate(), restores.LogsCommand(),
		restores.WaitCommand(), restores.CancelCommand("Objects that it has made so far stay."),
		command.Refused("delete", "what it records stays in the bucket and holds no name but its own; delete the objects that it made with kubectl"))
}

// restores are the restores that the storage locations record.
func (cs Commands) restores() *noun.Noun[contract.RestoreSummary, velerov1.Restore] {
	return &noun.Noun[contract.RestoreSummary, velerov1.Restore]{
		Console: cs.Console, Kind: temporal.KindRestore, ExampleName: "nightly-20260102150405",
		ReadVerb: contract.ReadRestore, FileVerb: contract.ReadRestoreURL,
		Layout: console.Layout[contract.RestoreSummary]{
			Word:   "restore",
			Name:   func(r contract.RestoreSummary) string { return r.Name },
			Header: []string{"NAME", "BACKUP", "STATUS", "STARTED", "COMPLETED", "ERRORS", "WARNINGS", "CREATED"},
			Cells:  restoreCells,
			Empty:  "No restores found. Make one with: lifeboat restore create --from-backup NAME",
		},
		RowLabels:      func(r contract.RestoreSummary) map[string]string { return r.Labels },
		RowDocument:    listing.RestoreDocument,
		ListStored:     console.Backend.Restores,
		RowOfRun:       listing.RestoreOfRun,
		StoredDocument: storedRestore,
		PhaseOf:        func(r *velerov1.Restore) string { return string(r.Status.Phase) },
		ViewOf: func(r *velerov1.Restore, facts show.Facts, _ bool) noun.Describable {
			return show.RestoreView{Restore: *r, Facts: facts}
		},
		ReportRun: cs.reportRestore,
	}
}

// Get is `restore get`.
func (cs Commands) Get() *cobra.Command {
	return cs.restores().GetCommand(`List restores: those recorded in the bucket, and besides them those that are running or
have failed, as long as Temporal remembers them.`, `  lifeboat restore get
  lifeboat restore get nightly-20260102150405 -o yaml`)
}

// Describe is `restore describe`.
func (cs Commands) Describe() *cobra.Command {
	return cs.restores().DescribeCommand("Show what a restore did and how it went", `  lifeboat restore describe nightly-20260102150405
  lifeboat restore describe nightly-20260102150405 --details`)
}

func restoreCells(r contract.RestoreSummary) []string {
	phase := r.Phase
	if r.DryRun {
		phase += " (dry run)"
	}
	started := show.Time(show.TimeOrZero(r.Started))
	return []string{
		r.Name, show.Or(r.Backup, "<none>"), phase, started, show.Time(show.TimeOrZero(r.Completed)),
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
