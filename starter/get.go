package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// listLayout is how things of one sort are named and laid out in a table.
type listLayout[Row any] struct {
	word   string // what messages and commands call one
	name   func(Row) string
	header []string
	cells  func(Row) []string
	empty  string // is said in place of an empty table; "" prints the header alone
}

func (l listLayout[Row]) names(rows []Row) []string {
	var out []string
	for _, row := range rows {
		out = append(out, l.name(row))
	}
	return out
}

// withLabels adds the column of --show-labels.
func (l listLayout[Row]) withLabels(labels func(Row) map[string]string) listLayout[Row] {
	return l.withColumn("LABELS", func(row Row) string { return strings.Join(show.LabelPairs(labels(row)), ",") })
}

func (l listLayout[Row]) withColumn(header string, text func(Row) string) listLayout[Row] {
	cells := l.cells
	l.header = append(slices.Clone(l.header), header)
	l.cells = func(row Row) []string { return append(cells(row), show.Or(text(row), "<none>")) }
	return l
}

// pickNamed keeps the rows of the names asked for, all rows for none; a name without a
// row is an error.
func (l listLayout[Row]) pickNamed(all []Row, names []string) ([]Row, error) {
	if len(names) == 0 {
		return all, nil
	}
	var out []Row
	for _, name := range names {
		before := len(out)
		for _, row := range all {
			if l.name(row) == name {
				out = append(out, row) // storage locations may each have one
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("%s %q: %w; see 'lifeboat %s get'", l.word, name, temporal.ErrNotFound, l.word)
		}
	}
	return out, nil
}

// printRows prints a list in the format of -o; document is its form for programs.
func (l listLayout[Row]) printRows(a *app, out output, rows []Row, document func() any) error {
	switch {
	case out.format == show.FormatName:
		for _, name := range l.names(rows) {
			a.say("%s\n", name)
		}
		return nil
	case out.isDocument():
		return show.Document(a.stdout, out.format, document())
	case len(rows) == 0 && l.empty != "":
		a.say("%s\n", l.empty)
		return nil
	}
	var table [][]string
	for _, row := range rows {
		table = append(table, l.cells(row))
	}
	return show.Table(a.stdout, l.header, table)
}

type getOptions struct {
	out        output
	selector   string
	location   string
	showLabels bool

	showExpired bool // of ReadOnly locations
	allClusters bool
}

func (o *getOptions) bindFlags(c *cobra.Command) {
	o.out.bindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML, show.FormatName)
	c.Flags().StringVarP(&o.selector, "selector", "l", "", "only those with these labels")
	c.Flags().StringVar(&o.location, "storage-location", "", "only those in this storage location")
	c.Flags().BoolVar(&o.showLabels, "show-labels", false, "show labels in the last column")
}

// getCommand is `backup get` and `restore get`.
func (n *noun[Row, Doc]) getCommand(long, example string) *cobra.Command {
	o := &getOptions{}
	c := &cobra.Command{
		Use:               "get [NAME...]",
		Short:             "List " + n.word() + "s",
		Long:              long,
		Example:           example,
		ValidArgsFunction: n.completeNames,
	}
	o.bindFlags(c)
	if n.bindGetFlags != nil {
		n.bindGetFlags(c, o)
	}
	c.RunE = func(c *cobra.Command, names []string) error {
		match, err := listing.ParseMatcher(o.selector)
		if err != nil {
			return err
		}
		if o.allClusters {
			if n.cluster == "" {
				n.cluster = anyCluster
			}
			return n.throughAnyWorker(c.Context(), func(be backend, _ string) error { return n.printList(c.Context(), be, o, match, names) })
		}
		return n.withBackend(c.Context(), func(be backend) error { return n.printList(c.Context(), be, o, match, names) })
	}
	return c
}

// printList prints what is stored, and besides it what runs or has failed.
func (n *noun[Row, Doc]) printList(ctx context.Context, be backend, o *getOptions, match listing.LabelMatcher, names []string) error {
	if o.out.isDocument() && len(names) > 0 {
		return n.printDocuments(ctx, be, o, names)
	}
	stored, err := n.listStored(be, ctx, o.selector, o.location)
	if err != nil {
		return err
	}
	n.noteUnread(stored.Unread)
	if n.hideRows != nil && len(names) == 0 {
		stored.Rows = n.hideRows(stored.Rows, o)
	}
	rows, err := n.addRuns(ctx, be, stored.Rows, o.location, match)
	if err != nil {
		return err
	}
	rows, err = n.layout.pickNamed(rows, names)
	if err != nil {
		return err
	}
	layout := n.layout
	if o.allClusters {
		layout = layout.withColumn("CLUSTER", n.rowCluster)
	}
	if o.showLabels {
		layout = layout.withLabels(n.rowLabels)
	}
	return layout.printRows(n.app, o.out, rows, func() any { return n.listDocument(rows, stored.Unread) })
}

// addRuns adds to the stored rows the runs that go on or have failed. What is stored is
// the truth about a name; a run of the name can only fail.
func (n *noun[Row, Doc]) addRuns(ctx context.Context, be backend, stored []Row, location string, match listing.LabelMatcher) ([]Row, error) {
	runs, err := be.Runs(ctx, n.kind)
	if err != nil {
		return nil, err
	}
	all, runs := slices.Clone(stored), listing.KeepLocation(runs, location)
	if n.applyDeletions != nil {
		deletions, err := be.Runs(ctx, temporal.KindDelete)
		if err != nil {
			return nil, err
		}
		runs = n.applyDeletions(all, runs, deletions)
	}
	known := n.layout.names(all)
	for _, r := range runs {
		if listing.IsUnstored(r) && match(r.Labels) && !slices.Contains(known, r.Name) {
			all = append(all, n.rowOfRun(r))
		}
	}
	compare := listing.NameOrder()
	slices.SortStableFunc(all, func(a, b Row) int { return compare(n.layout.name(a), n.layout.name(b)) })
	return all, nil
}

// listDocument gives the rows as Velero documents, for scripts that read those.
func (n *noun[Row, Doc]) listDocument(rows []Row, unread []contract.UnreadLocation) any {
	docs := make([]Doc, 0, len(rows))
	for _, row := range rows {
		docs = append(docs, n.rowDocument(row))
	}
	return veleroList(n.word(), docs, unread)
}

// printDocuments gives the whole documents of named backups or restores.
func (n *noun[Row, Doc]) printDocuments(ctx context.Context, be backend, o *getOptions, names []string) error {
	docs := make([]*Doc, 0, len(names))
	for _, name := range names {
		doc, res, err := n.readDocument(ctx, be, name, o.location)
		if err != nil {
			return err
		}
		n.noteUnread(res.Unread)
		docs = append(docs, doc)
	}
	if len(docs) == 1 {
		return show.Document(n.stdout, o.out.format, docs[0])
	}
	return show.Document(n.stdout, o.out.format, veleroList(n.word(), docs, nil))
}

// veleroList is a Kubernetes list that says what it leaves out.
func veleroList[T any](word string, items []T, unread []contract.UnreadLocation) any {
	list := map[string]any{"apiVersion": velerov1.SchemeGroupVersion.String(), "kind": title(word) + "List", "items": items}
	if len(unread) > 0 {
		list["lifeboat"] = map[string]any{"unreadLocations": unread}
	}
	return list
}
