// Package backups has the commands of `lifeboat backup`, but those that compare backups or sum
// what they cost.
package backups

import (
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/noun"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Commands are those of `lifeboat backup`.
type Commands struct{ *console.Console }

// All are the commands of this package, each made anew.
func (cs Commands) All() []*cobra.Command {
	backups := cs.backups()
	return []*cobra.Command{
		cs.Create(), cs.Get(), cs.Describe(), backups.LogsCommand(), cs.downloadCommand(), cs.verifyCommand(), cs.Delete(),
		backups.WaitCommand(), backups.CancelCommand("Nothing of it stays behind."),
		cs.holdCommand(), cs.releaseCommand(), cs.setExpiryCommand(), cs.rehearseCommand(),
	}
}

// CompleteNames offers the names of stored backups.
func (cs Commands) CompleteNames(c *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	return cs.backups().CompleteNames(c, args, start)
}

// backups are the backups of the cluster's storage locations.
func (cs Commands) backups() *noun.Noun[contract.BackupSummary, velerov1.Backup] {
	return &noun.Noun[contract.BackupSummary, velerov1.Backup]{
		Console: cs.Console, Kind: temporal.KindBackup, ExampleName: "nightly",
		ReadVerb: contract.ReadBackup, FileVerb: contract.ReadBackupURL,
		Layout: console.Layout[contract.BackupSummary]{
			Word:   "backup",
			Name:   func(b contract.BackupSummary) string { return b.Name },
			Header: []string{"NAME", "STATUS", "ERRORS", "WARNINGS", "CREATED", "EXPIRES", "STORAGE LOCATION", "SELECTOR", "VERIFIED", "PROVEN"},
			Cells:  func(b contract.BackupSummary) []string { return backupCells(b, cs.Now()) },
			Empty:  "No backups found. Take one with: lifeboat backup create NAME",
		},
		RowCluster:     func(b contract.BackupSummary) string { return b.Cluster },
		BindGetFlags:   bindBackupGetFlags,
		HideRows:       cs.hideExpired,
		RowLabels:      func(b contract.BackupSummary) map[string]string { return b.Labels },
		RowDocument:    listing.BackupDocument,
		ListStored:     console.Backend.Backups,
		RowOfRun:       listing.BackupOfRun,
		ApplyDeletions: listing.ApplyBackupDeletions,
		StoredDocument: storedBackup,
		PhaseOf:        func(b *velerov1.Backup) string { return string(b.Status.Phase) },
		ViewOf: func(b *velerov1.Backup, facts show.Facts, details bool) noun.Describable {
			return show.BackupView{Backup: *b, Facts: facts, Blocks: details}
		},
		ReportRun: cs.awaitBackup,
	}
}

func bindBackupGetFlags(c *cobra.Command, o *noun.GetOptions) {
	c.Flags().BoolVar(&o.ShowExpired, "show-expired", false, "show also those of ReadOnly locations whose time is over")
	c.Flags().BoolVar(&o.AllClusters, "all-clusters", false, "ask any worker, and show of which cluster each backup is, also of clusters that are gone")
}

// hideExpired leaves out backups that are there only because their location is ReadOnly.
func (cs Commands) hideExpired(rows []contract.BackupSummary, o *noun.GetOptions) []contract.BackupSummary {
	if o.ShowExpired {
		return rows
	}
	kept := slices.DeleteFunc(slices.Clone(rows), func(b contract.BackupSummary) bool { return b.Expired })
	if n := len(rows) - len(kept); n > 0 {
		cs.Note("%s of ReadOnly locations left out: --show-expired shows them\n", show.Plural(int64(n), "expired backup"))
	}
	return kept
}

// Get is `backup get`.
func (cs Commands) Get() *cobra.Command {
	return cs.backups().GetCommand(`List the backups of every storage location, and besides them those that are running or
have failed, as long as Temporal remembers them.

With names, json and yaml give the whole Velero documents; without, the list holds what
the table shows. A location that cannot be read is named on stderr, and in such a list,
and hides no other.`, `  lifeboat backup get
  lifeboat backup get --all-clusters
  lifeboat backup get nightly -o yaml
  lifeboat backup get -l velero.io/schedule-name=nightly -o name`)
}

// Describe is `backup describe`.
func (cs Commands) Describe() *cobra.Command {
	return cs.backups().DescribeCommand("Show what is in a backup and how it went", `  lifeboat backup describe nightly
  lifeboat backup describe nightly --details
  lifeboat backup describe nightly -o json`)
}

func backupCells(b contract.BackupSummary, now time.Time) []string {
	phase := b.Phase
	if b.Expired {
		phase += " (expired)"
	}
	expires := show.FromNow(show.TimeOrZero(b.Expires), now)
	if b.Held != "" {
		expires += " (held)"
	}
	return []string{
		b.Name, phase, strconv.Itoa(b.Errors), strconv.Itoa(b.Warnings),
		show.Time(b.Created), expires, show.Or(b.Location, "default"), show.Or(b.Selector, "<none>"), verifiedText(b.Verified, now), show.Proven(b, now),
	}
}

// verifiedText is when a backup was read back last.
func verifiedText(at *time.Time, now time.Time) string {
	if at == nil {
		return "never"
	}
	return show.FromNow(*at, now)
}

// storedBackup is the document of an answer, in a form that can be given to -f again.
func storedBackup(res contract.ReadResult) *velerov1.Backup {
	if res.Backup != nil {
		res.Backup.TypeMeta = manifest.BackupDocument(contract.BackupInput{}).TypeMeta
	}
	return res.Backup
}
