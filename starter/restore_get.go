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
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) restoreGet() *cobra.Command {
	o := &getOptions{}
	c := &cobra.Command{
		Use:   "get [NAME...]",
		Short: "List restores",
		Long: `List restores: those recorded in the bucket, and besides them those that are running or
have failed, as long as Temporal remembers them.`,
		Example: `  lifeboat restore get
  lifeboat restore get nightly-20260102150405 -o yaml`,
		ValidArgsFunction: a.completeRestores,
	}
	o.bind(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		match, err := o.check()
		if err != nil {
			return err
		}
		return a.with(c.Context(), func(be backend) error { return a.getRestores(c.Context(), be, o, match, args) })
	}
	return c
}

func (a *app) getRestores(ctx context.Context, be backend, o *getOptions, match matcher, names []string) error {
	if o.out.document() && len(names) > 0 {
		return a.printRestores(ctx, be, o, names)
	}
	stored, err := be.Restores(ctx, o.selector, o.location)
	if err != nil {
		return err
	}
	a.noteUnread(stored.Unread)
	runs, err := be.Runs(ctx, temporal.KindRestore)
	if err != nil {
		return err
	}
	all, err := pick(mergeRestores(stored.Rows, inLocation(runs, o.location), match), names, "restore", func(r contract.RestoreSummary) string { return r.Name })
	if err != nil {
		return err
	}
	switch {
	case o.out.format == show.FormatName:
		for _, r := range all {
			a.say("%s\n", r.Name)
		}
		return nil
	case o.out.document():
		return show.Document(a.stdout, o.out.format, restoreList(all, stored.Unread))
	case len(all) == 0:
		a.say("No restores found. Make one with: lifeboat restore create --from-backup NAME\n")
		return nil
	}
	header, rows := restoreTable(all, o.showLabels)
	return show.Table(a.stdout, header, rows)
}

func (a *app) printRestores(ctx context.Context, be backend, o *getOptions, names []string) error {
	docs := make([]velerov1.Restore, 0, len(names))
	for _, name := range names {
		res, err := readRestore(ctx, be, name, o.location)
		if err != nil {
			return err
		}
		a.noteUnread(res.Unread)
		docs = append(docs, *res.Restore)
	}
	if len(docs) == 1 {
		return show.Document(a.stdout, o.out.format, docs[0])
	}
	return show.Document(a.stdout, o.out.format, listOf("RestoreList", docs, nil))
}

func restoreTable(all []contract.RestoreSummary, labels bool) ([]string, [][]string) {
	header := []string{"NAME", "BACKUP", "STATUS", "STARTED", "COMPLETED", "ERRORS", "WARNINGS", "CREATED"}
	if labels {
		header = append(header, "LABELS")
	}
	var rows [][]string
	for _, r := range all {
		phase := r.Phase
		if r.DryRun {
			phase += " (dry run)"
		}
		row := []string{
			r.Name, show.Or(r.Backup, "<none>"), phase, show.Time(timeOf(r.Started)), show.Time(timeOf(r.Completed)),
			strconv.Itoa(r.Errors), strconv.Itoa(r.Warnings), show.Time(timeOf(r.Started)),
		}
		if labels {
			row = append(row, labelText(r.Labels))
		}
		rows = append(rows, row)
	}
	return header, rows
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// restoreList gives the rows as Velero documents, for scripts that read those.
func restoreList(all []contract.RestoreSummary, unread []contract.UnreadLocation) any {
	docs := make([]velerov1.Restore, 0, len(all))
	for _, r := range all {
		in := contract.RestoreInput{Name: r.Name, Labels: r.Labels}
		in.Spec.BackupName = r.Backup
		doc := restoreManifest(in)
		doc.Status = velerov1.RestoreStatus{
			Phase: velerov1.RestorePhase(r.Phase), Errors: r.Errors, Warnings: r.Warnings,
			StartTimestamp: stamp(r.Started), CompletionTimestamp: stamp(r.Completed),
		}
		docs = append(docs, doc)
	}
	return listOf("RestoreList", docs, unread)
}

func stamp(t *time.Time) *metav1.Time {
	if t == nil {
		return nil
	}
	at := metav1.NewTime(*t)
	return &at
}
