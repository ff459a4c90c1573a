package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// noun describes what the CLI has commands about: backups or restores. What the commands
// do alike to both is written once, as methods. Row is a line of the list, Doc Velero's
// document.
type noun[Row, Doc any] struct {
	*app
	kind        temporal.Kind
	readVerb    string // asks the catalog for the document
	fileVerb    string // asks the catalog for a URL of one of its files
	exampleName string // in help

	layout       listLayout[Row]
	rowLabels    func(Row) map[string]string
	rowCluster   func(Row) string                  // nil: the noun knows no clusters
	bindGetFlags func(*cobra.Command, *getOptions) // nil: no flags of its own
	hideRows     func([]Row, *getOptions) []Row    // nil: all are shown
	rowDocument  func(Row) Doc                     // as far as a row knows it
	listStored   func(be backend, ctx context.Context, selector, location string) (temporal.Listing[Row], error)
	rowOfRun     func(temporal.State) Row
	// applyDeletions marks the rows that are being deleted and gives the runs that no
	// deletion came after; nil where nothing is deleted.
	applyDeletions func(all []Row, runs, deletions []temporal.State) []temporal.State

	storedDocument func(contract.ReadResult) *Doc // nil where the answer has none
	phaseOf        func(*Doc) string
	viewOf         func(doc *Doc, facts show.Facts, details bool) describable
	reportRun      func(ctx context.Context, be backend, run temporal.Run) error // waits and tells how it ended
}

// word is what messages and commands call it.
func (n *noun[Row, Doc]) word() string { return n.kind.Noun() }

// readDocument reads the document of a name; ErrNotFound where there is none.
func (n *noun[Row, Doc]) readDocument(ctx context.Context, be backend, name, location string) (*Doc, contract.ReadResult, error) {
	res, err := be.Read(ctx, contract.ReadInput{Verb: n.readVerb, Name: name, Location: location})
	if err != nil {
		return nil, res, err
	}
	doc := n.storedDocument(res)
	if doc == nil {
		return nil, res, fmt.Errorf("read %s %q: the worker answered without it: are worker and CLI of one version?", n.word(), name)
	}
	return doc, res, nil
}

// completeNames offers the names that are stored.
func (n *noun[Row, Doc]) completeNames(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return n.completeWords(c, func(ctx context.Context, be backend) ([]string, error) {
		all, err := n.listStored(be, ctx, "", "")
		return n.layout.names(all.Rows), err
	})
}

func (n *noun[Row, Doc]) waitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "wait NAME",
		Short: "Wait until a " + n.word() + " has ended, showing progress",
		Long: "Wait until a " + n.word() + ` has ended, showing progress. Ctrl-C stops only the waiting.

` + exitCodesHelp,
		Example:           "  lifeboat " + n.word() + " wait " + n.exampleName,
		Args:              oneName(n.word()),
		ValidArgsFunction: n.completeRunning(n.kind),
		RunE: n.connected(func(ctx context.Context, be backend, args []string) error {
			return n.waitFor(ctx, be, args[0])
		}),
	}
}

func (n *noun[Row, Doc]) waitFor(ctx context.Context, be backend, name string) error {
	state, err := be.Latest(ctx, n.kind, name)
	if err == nil {
		return n.reportRun(ctx, be, state.Run)
	}
	if !errors.Is(err, temporal.ErrNotFound) {
		return err
	}
	// Temporal forgets finished runs; the bucket does not.
	doc, _, err := n.readDocument(ctx, be, name, "")
	if err != nil {
		return err
	}
	phase := n.phaseOf(doc)
	n.say("%s %q ended earlier: %s.\n", title(n.word()), name, phase)
	return phaseOutcome(phase)
}
