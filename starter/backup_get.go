package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

type getOptions struct {
	out        output
	selector   string
	location   string
	showLabels bool
}

func (o *getOptions) bind(c *cobra.Command) {
	o.out.bind(c.Flags(), show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML, show.FormatName)
	c.Flags().StringVarP(&o.selector, "selector", "l", "", "only those with these labels")
	c.Flags().StringVar(&o.location, "storage-location", "", "only those in this storage location")
	c.Flags().BoolVar(&o.showLabels, "show-labels", false, "show labels in the last column")
}

func (a *app) backupGet() *cobra.Command {
	o := &getOptions{}
	c := &cobra.Command{
		Use:   "get [NAME...]",
		Short: "List backups",
		Long: `List the backups of every storage location, and besides them those that are running or
have failed, as long as Temporal remembers them.

With names, json and yaml give the whole Velero documents; without, the list holds what
the table shows. A location that cannot be read is named on stderr, and in such a list,
and hides no other.`,
		Example: `  lifeboat backup get
  lifeboat backup get nightly -o yaml
  lifeboat backup get -l velero.io/schedule-name=nightly -o name`,
		ValidArgsFunction: a.completeBackups,
	}
	o.bind(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		match, err := o.check()
		if err != nil {
			return err
		}
		return a.with(c.Context(), func(be backend) error { return a.getBackups(c.Context(), be, o, match, args) })
	}
	return c
}

func (a *app) getBackups(ctx context.Context, be backend, o *getOptions, match matcher, names []string) error {
	if o.out.document() && len(names) > 0 {
		return a.printBackups(ctx, be, o, names)
	}
	stored, err := be.Backups(ctx, o.selector, o.location)
	if err != nil {
		return err
	}
	a.noteUnread(stored.Unread)
	all, err := withRuns(ctx, be, stored.Rows, o.location, match)
	if err != nil {
		return err
	}
	all, err = pick(all, names, "backup", func(b contract.BackupSummary) string { return b.Name })
	if err != nil {
		return err
	}
	switch {
	case o.out.format == show.FormatName:
		for _, b := range all {
			a.say("%s\n", b.Name)
		}
		return nil
	case o.out.document():
		return show.Document(a.stdout, o.out.format, backupList(all, stored.Unread))
	case len(all) == 0:
		a.say("No backups found. Take one with: lifeboat backup create NAME\n")
		return nil
	}
	header, rows := backupTable(all, o.showLabels, a.now())
	return show.Table(a.stdout, header, rows)
}

// printBackups gives the whole documents of named backups.
func (a *app) printBackups(ctx context.Context, be backend, o *getOptions, names []string) error {
	docs := make([]velerov1.Backup, 0, len(names))
	for _, name := range names {
		res, err := readBackup(ctx, be, name, o.location)
		if err != nil {
			return err
		}
		a.noteUnread(res.Unread)
		docs = append(docs, *res.Backup)
	}
	if len(docs) == 1 {
		return show.Document(a.stdout, o.out.format, docs[0])
	}
	return show.Document(a.stdout, o.out.format, listOf("BackupList", docs, nil))
}

// withRuns adds to the stored backups what is running or failed besides.
func withRuns(ctx context.Context, be backend, stored []contract.BackupSummary, location string, match matcher) ([]contract.BackupSummary, error) {
	runs, err := be.Runs(ctx, temporal.KindBackup)
	if err != nil {
		return nil, err
	}
	deletions, err := be.Runs(ctx, temporal.KindDelete)
	if err != nil {
		return nil, err
	}
	return mergeBackups(stored, inLocation(runs, location), deletions, match), nil
}

func backupTable(all []contract.BackupSummary, labels bool, now time.Time) ([]string, [][]string) {
	header := []string{"NAME", "STATUS", "ERRORS", "WARNINGS", "CREATED", "EXPIRES", "STORAGE LOCATION", "SELECTOR"}
	if labels {
		header = append(header, "LABELS")
	}
	var rows [][]string
	for _, b := range all {
		var expires time.Time
		if b.Expires != nil {
			expires = *b.Expires
		}
		row := []string{
			b.Name, b.Phase, strconv.Itoa(b.Errors), strconv.Itoa(b.Warnings),
			show.Time(b.Created), show.FromNow(expires, now), show.Or(b.Location, "default"), show.Or(b.Selector, "<none>"),
		}
		if labels {
			row = append(row, labelText(b.Labels))
		}
		rows = append(rows, row)
	}
	return header, rows
}

// backupList gives the rows as Velero documents, for scripts that read those.
func backupList(all []contract.BackupSummary, unread []contract.UnreadLocation) any {
	docs := make([]velerov1.Backup, 0, len(all))
	for _, b := range all {
		doc := backupManifest(contract.BackupInput{Name: b.Name, Labels: b.Labels})
		doc.CreationTimestamp = metav1.NewTime(b.Created)
		doc.Spec.StorageLocation = b.Location
		doc.Spec.LabelSelector, _ = manifest.ParseSelector(b.Selector) // an "or" of selectors has no single form
		doc.Status = velerov1.BackupStatus{
			Phase: velerov1.BackupPhase(b.Phase), Errors: b.Errors, Warnings: b.Warnings,
			StartTimestamp: &doc.CreationTimestamp,
			Progress:       &velerov1.BackupProgress{TotalItems: int(b.Objects), ItemsBackedUp: int(b.Objects)},
		}
		if b.Expires != nil {
			at := metav1.NewTime(*b.Expires)
			doc.Status.Expiration = &at
		}
		docs = append(docs, doc)
	}
	return listOf("BackupList", docs, unread)
}

// listOf is a Kubernetes list that says what it leaves out.
func listOf[T any](kind string, items []T, unread []contract.UnreadLocation) any {
	list := map[string]any{"apiVersion": velerov1.SchemeGroupVersion.String(), "kind": kind, "items": items}
	if len(unread) > 0 {
		list["lifeboat"] = map[string]any{"unreadLocations": unread}
	}
	return list
}
