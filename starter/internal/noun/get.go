package noun

import (
	"context"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// GetOptions are the flags of `get`. A noun binds the exported ones itself, by BindGetFlags.
type GetOptions struct {
	out        console.Output
	selector   string
	location   string
	showLabels bool

	ShowExpired bool // of ReadOnly locations
	AllClusters bool
}

func (o *GetOptions) bindFlags(c *cobra.Command) {
	o.out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML, show.FormatName)
	c.Flags().StringVarP(&o.selector, "selector", "l", "", "only those with these labels")
	c.Flags().StringVar(&o.location, "storage-location", "", "only those in this storage location")
	c.Flags().BoolVar(&o.showLabels, "show-labels", false, "show labels in the last column")
}

// GetCommand is `backup get` and `restore get`.
func (n *Noun[Row, Doc]) GetCommand(long, example string) *cobra.Command {
	o := &GetOptions{}
	c := &cobra.Command{
		Use:               "get [NAME...]",
		Short:             "List " + n.word() + "s",
		Long:              long,
		Example:           example,
		ValidArgsFunction: n.CompleteNames,
	}
	o.bindFlags(c)
	if n.BindGetFlags != nil {
		n.BindGetFlags(c, o)
	}
	c.RunE = func(c *cobra.Command, names []string) error {
		match, err := listing.ParseMatcher(o.selector)
		if err != nil {
			return err
		}
		if o.AllClusters {
			if n.Cluster == "" {
				n.Cluster = console.AnyCluster
			}
			return n.ThroughAnyWorker(c.Context(), func(be console.Backend, _ string) error { return n.printList(c.Context(), be, o, match, names) })
		}
		return n.WithBackend(c.Context(), func(be console.Backend) error { return n.printList(c.Context(), be, o, match, names) })
	}
	return c
}

// printList prints what is stored, and besides it what runs or has failed.
func (n *Noun[Row, Doc]) printList(ctx context.Context, be console.Backend, o *GetOptions, match listing.LabelMatcher, names []string) error {
	if o.out.IsDocument() && len(names) > 0 {
		return n.printDocuments(ctx, be, o, names)
	}
	stored, err := n.ListStored(be, ctx, o.selector, o.location)
	if err != nil {
		return err
	}
	n.NoteUnread(stored.Unread)
	if n.HideRows != nil && len(names) == 0 {
		stored.Rows = n.HideRows(stored.Rows, o)
	}
	rows, err := n.addRuns(ctx, be, stored.Rows, o.location, match)
	if err != nil {
		return err
	}
	rows, err = n.Layout.PickNamed(rows, names)
	if err != nil {
		return err
	}
	layout := n.Layout
	if o.AllClusters || n.hasOthers(rows, be.Cluster()) {
		layout = layout.WithColumn("CLUSTER", n.RowCluster)
	}
	if o.AllClusters {
		if err := n.noteGoneClusters(ctx, rows); err != nil {
			return err
		}
	}
	if o.showLabels {
		layout = layout.WithLabels(n.RowLabels)
	}
	return layout.PrintRows(n.Console, o.out, rows, func() any { return n.listDocument(rows, stored.Unread) })
}

// hasOthers tells whether rows are of another cluster than the one that is asked.
func (n *Noun[Row, Doc]) hasOthers(rows []Row, cluster string) bool {
	return n.RowCluster != nil && slices.ContainsFunc(rows, func(row Row) bool {
		of := n.RowCluster(row)
		return of != "" && of != cluster
	})
}

// noteGoneClusters says which clusters have rows and no worker: what is theirs nobody collects.
func (n *Noun[Row, Doc]) noteGoneClusters(ctx context.Context, rows []Row) error {
	of := map[string]int{}
	for _, row := range rows {
		if name := n.RowCluster(row); name != "" {
			of[name]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		served, err := n.HasWorker(ctx, name)
		if err != nil {
			return err
		}
		if !served {
			n.Note("cluster %s has no worker, which would delete what of its %s expires; see 'lifeboat gc plan --cluster %s'\n", name, show.Plural(int64(of[name]), n.word()), name)
		}
	}
	return nil
}

// addRuns adds to the stored rows the runs that go on or have failed. What is stored is
// the truth about a name; a run of the name can only fail.
func (n *Noun[Row, Doc]) addRuns(ctx context.Context, be console.Backend, stored []Row, location string, match listing.LabelMatcher) ([]Row, error) {
	runs, err := be.Runs(ctx, n.Kind)
	if err != nil {
		return nil, err
	}
	all, runs := slices.Clone(stored), listing.KeepLocation(runs, location)
	if n.ApplyDeletions != nil {
		deletions, err := be.Runs(ctx, temporal.KindDelete)
		if err != nil {
			return nil, err
		}
		runs = n.ApplyDeletions(all, runs, deletions)
	}
	known := n.Layout.Names(all)
	for _, r := range runs {
		if listing.IsUnstored(r) && match(r.Labels) && !slices.Contains(known, r.Name) {
			all = append(all, n.RowOfRun(r))
		}
	}
	compare := listing.NameOrder()
	slices.SortStableFunc(all, func(a, b Row) int { return compare(n.Layout.Name(a), n.Layout.Name(b)) })
	return all, nil
}

// listDocument gives the rows as Velero documents, for scripts that read those.
func (n *Noun[Row, Doc]) listDocument(rows []Row, unread []contract.UnreadLocation) any {
	docs := make([]Doc, 0, len(rows))
	for _, row := range rows {
		docs = append(docs, n.RowDocument(row))
	}
	return veleroList(n.word(), docs, unread)
}

// printDocuments gives the whole documents of named backups or restores.
func (n *Noun[Row, Doc]) printDocuments(ctx context.Context, be console.Backend, o *GetOptions, names []string) error {
	docs := make([]*Doc, 0, len(names))
	for _, name := range names {
		doc, res, err := n.readDocument(ctx, be, name, o.location)
		if err != nil {
			return err
		}
		n.NoteUnread(res.Unread)
		docs = append(docs, doc)
	}
	if len(docs) == 1 {
		return show.Document(n.Stdout, o.out.Format, docs[0])
	}
	return show.Document(n.Stdout, o.out.Format, veleroList(n.word(), docs, nil))
}

// veleroList is a Kubernetes list that says what it leaves out.
func veleroList[T any](word string, items []T, unread []contract.UnreadLocation) any {
	list := map[string]any{"apiVersion": velerov1.SchemeGroupVersion.String(), "kind": console.Title(word) + "List", "items": items}
	if len(unread) > 0 {
		list["lifeboat"] = map[string]any{"unreadLocations": unread}
	}
	return list
}
