package main

import (
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/costs"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) backupCommand() *cobra.Command {
	backups := a.backups()
	c := command.Group("backup", "Take, list, inspect and delete backups", []string{"backups"},
		a.backupCreate(), a.backupGet(), a.backupDescribe(), backups.logsCommand(), a.backupDownload(), a.changes().DiffCommand(),
		a.backupVerify(), a.backupDelete(), backups.waitCommand(), backups.cancelCommand("Nothing of it stays behind."), costs.Command(costConsole{scheduleConsole{a}}))
	c.AddCommand(a.retentionCommands()...)
	c.AddCommand(a.backupRehearse())
	return c
}

// backups are the backups of the cluster's storage locations.
func (a *app) backups() *noun[contract.BackupSummary, velerov1.Backup] {
	return &noun[contract.BackupSummary, velerov1.Backup]{
		app: a, kind: temporal.KindBackup, exampleName: "nightly",
		readVerb: contract.ReadBackup, fileVerb: contract.ReadBackupURL,
		layout: listLayout[contract.BackupSummary]{
			word:   "backup",
			name:   func(b contract.BackupSummary) string { return b.Name },
			header: []string{"NAME", "STATUS", "ERRORS", "WARNINGS", "CREATED", "EXPIRES", "STORAGE LOCATION", "SELECTOR", "VERIFIED", "PROVEN"},
			cells:  func(b contract.BackupSummary) []string { return backupCells(b, a.now()) },
			empty:  "No backups found. Take one with: lifeboat backup create NAME",
		},
		rowCluster:     func(b contract.BackupSummary) string { return b.Cluster },
		bindGetFlags:   bindBackupGetFlags,
		hideRows:       a.hideExpired,
		rowLabels:      func(b contract.BackupSummary) map[string]string { return b.Labels },
		rowDocument:    listing.BackupDocument,
		listStored:     backend.Backups,
		rowOfRun:       listing.BackupOfRun,
		applyDeletions: listing.ApplyBackupDeletions,
		storedDocument: storedBackup,
		phaseOf:        func(b *velerov1.Backup) string { return string(b.Status.Phase) },
		viewOf: func(b *velerov1.Backup, facts show.Facts, details bool) describable {
			return show.BackupView{Backup: *b, Facts: facts, Blocks: details}
		},
		reportRun: a.awaitBackup,
	}
}

func bindBackupGetFlags(c *cobra.Command, o *getOptions) {
	c.Flags().BoolVar(&o.showExpired, "show-expired", false, "show also those of ReadOnly locations whose time is over")
	c.Flags().BoolVar(&o.allClusters, "all-clusters", false, "ask any worker, and show of which cluster each backup is, also of clusters that are gone")
}

// hideExpired leaves out backups that are there only because their location is ReadOnly.
func (a *app) hideExpired(rows []contract.BackupSummary, o *getOptions) []contract.BackupSummary {
	if o.showExpired {
		return rows
	}
	kept := slices.DeleteFunc(slices.Clone(rows), func(b contract.BackupSummary) bool { return b.Expired })
	if n := len(rows) - len(kept); n > 0 {
		a.note("%s of ReadOnly locations left out: --show-expired shows them\n", show.Plural(int64(n), "expired backup"))
	}
	return kept
}

func (a *app) backupGet() *cobra.Command {
	return a.backups().getCommand(`List the backups of every storage location, and besides them those that are running or
have failed, as long as Temporal remembers them.

With names, json and yaml give the whole Velero documents; without, the list holds what
the table shows. A location that cannot be read is named on stderr, and in such a list,
and hides no other.`, `  lifeboat backup get
  lifeboat backup get --all-clusters
  lifeboat backup get nightly -o yaml
  lifeboat backup get -l velero.io/schedule-name=nightly -o name`)
}

func (a *app) backupDescribe() *cobra.Command {
	return a.backups().describeCommand("Show what is in a backup and how it went", `  lifeboat backup describe nightly
  lifeboat backup describe nightly --details
  lifeboat backup describe nightly -o json`)
}

func backupCells(b contract.BackupSummary, now time.Time) []string {
	phase := b.Phase
	if b.Expired {
		phase += " (expired)"
	}
	return []string{
		b.Name, phase, strconv.Itoa(b.Errors), strconv.Itoa(b.Warnings),
		show.Time(b.Created), show.FromNow(timeOrZero(b.Expires), now), show.Or(b.Location, "default"), show.Or(b.Selector, "<none>"), verifiedText(b.Verified, now), show.Proven(b, now),
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
