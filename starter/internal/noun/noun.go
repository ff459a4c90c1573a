// Package noun has the commands that backups and restores have alike: get, describe, logs,
// wait, cancel.
package noun

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Noun describes what the CLI has commands about: backups or restores. What the commands
// do alike to both is written once, as methods. Row is a line of the list, Doc Velero's
// document.
type Noun[Row, Doc any] struct {
	*console.Console
	Kind        temporal.Kind
	ReadVerb    string // asks the catalog for the document
	FileVerb    string // asks the catalog for a URL of one of its files
	ExampleName string // in help

	Layout       console.Layout[Row]
	RowLabels    func(Row) map[string]string
	RowCluster   func(Row) string                  // nil: the noun knows no clusters
	BindGetFlags func(*cobra.Command, *GetOptions) // nil: no flags of its own
	HideRows     func([]Row, *GetOptions) []Row    // nil: all are shown
	RowDocument  func(Row) Doc                     // as far as a row knows it
	ListStored   func(be console.Backend, ctx context.Context, selector, location string) (temporal.Listing[Row], error)
	RowOfRun     func(temporal.State) Row
	// applyDeletions marks the rows that are being deleted and gives the runs that no
	// deletion came after; nil where nothing is deleted.
	ApplyDeletions func(all []Row, runs, deletions []temporal.State) []temporal.State

	StoredDocument func(contract.ReadResult) *Doc // nil where the answer has none
	PhaseOf        func(*Doc) string
	ViewOf         func(doc *Doc, facts show.Facts, details bool) Describable
	ReportRun      func(ctx context.Context, be console.Backend, run temporal.Run) error // waits and tells how it ended
}

// word is what messages and commands call it.
func (n *Noun[Row, Doc]) word() string { return n.Kind.Noun() }

// readDocument reads the document of a name; ErrNotFound where there is none.
func (n *Noun[Row, Doc]) readDocument(ctx context.Context, be console.Backend, name, location string) (*Doc, contract.ReadResult, error) {
	res, err := be.Read(ctx, contract.ReadInput{Verb: n.ReadVerb, Name: name, Location: location})
	if err != nil {
		return nil, res, err
	}
	doc := n.StoredDocument(res)
	if doc == nil {
		return nil, res, fmt.Errorf("read %s %q: the worker answered without it: are worker and CLI of one version?", n.word(), name)
	}
	return doc, res, nil
}

// CompleteNames offers the names that are stored.
func (n *Noun[Row, Doc]) CompleteNames(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return n.CompleteWords(c, func(ctx context.Context, be console.Backend) ([]string, error) {
		all, err := n.ListStored(be, ctx, "", "")
		return n.Layout.Names(all.Rows), err
	})
}

// WaitCommand is `backup wait` and `restore wait`.
func (n *Noun[Row, Doc]) WaitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "wait NAME",
		Short: "Wait until a " + n.word() + " has ended, showing progress",
		Long: "Wait until a " + n.word() + ` has ended, showing progress. Ctrl-C stops only the waiting.

` + console.ExitCodesHelp,
		Example:           "  lifeboat " + n.word() + " wait " + n.ExampleName,
		Args:              console.OneName(n.word()),
		ValidArgsFunction: n.CompleteRunning(n.Kind),
		RunE: n.Connected(func(ctx context.Context, be console.Backend, args []string) error {
			return n.waitFor(ctx, be, args[0])
		}),
	}
}

func (n *Noun[Row, Doc]) waitFor(ctx context.Context, be console.Backend, name string) error {
	state, err := be.Latest(ctx, n.Kind, name)
	if err == nil {
		return n.ReportRun(ctx, be, state.Run)
	}
	if !errors.Is(err, temporal.ErrNotFound) {
		return err
	}
	// Temporal forgets finished runs; the bucket does not.
	doc, _, err := n.readDocument(ctx, be, name, "")
	if err != nil {
		return err
	}
	phase := n.PhaseOf(doc)
	n.Say("%s %q ended earlier: %s.\n", console.Title(n.word()), name, phase)
	return console.PhaseOutcome(phase)
}
