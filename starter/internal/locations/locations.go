// Package locations has the commands of `lifeboat location` and `lifeboat snapshot-location`.
package locations

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Commands are those of `lifeboat location` and `lifeboat snapshot-location`.
type Commands struct{ *console.Console }

// locations describes one sort of the locations that the worker's configuration lists:
// where backups are stored, or where snapshots are made. What the commands do alike with
// both is written once, as methods.
type locations[Row any] struct {
	*console.Console
	layout       console.Layout[Row]
	listVerb     string // asks the catalog for all of them
	rowsOf       func(contract.ReadResult) []Row
	checkOf      func(Row) contract.ReadInput // asks the catalog what one can do
	phaseOf      func(Row) string
	printChecked func(Row) error
}

// getCommand is `location get` and `snapshot-location get`.
func (l *locations[Row]) getCommand(short string) *cobra.Command {
	return l.namedCommand("get", short, []string{show.FormatTable, show.FormatJSON, show.FormatYAML, show.FormatName},
		"default -o yaml", l.printList)
}

// checkCommand is `location check` and `snapshot-location check`.
func (l *locations[Row]) checkCommand(short, long string) *cobra.Command {
	c := l.namedCommand("check", short, []string{show.FormatTable, show.FormatJSON, show.FormatYAML},
		"default", l.checkRows)
	c.Long = long
	return c
}

// namedCommand takes names of locations, none for all, and runs with their rows.
func (l *locations[Row]) namedCommand(verb, short string, formats []string, example string, run func(ctx context.Context, be console.Backend, out console.Output, rows []Row) error) *cobra.Command {
	var out console.Output
	call := "  lifeboat " + l.layout.Word + " " + verb
	c := &cobra.Command{
		Use: verb + " [NAME...]", Short: short,
		Example:           call + "\n" + call + " " + example,
		ValidArgsFunction: l.completeNames,
	}
	out.BindFlag(c, show.FormatTable, formats...)
	c.RunE = l.Connected(func(ctx context.Context, be console.Backend, names []string) error {
		rows, err := l.list(ctx, be, names)
		if err != nil {
			return err
		}
		return run(ctx, be, out, rows)
	})
	return c
}

// list gives the locations of these names, all for none.
func (l *locations[Row]) list(ctx context.Context, be console.Backend, names []string) ([]Row, error) {
	res, err := be.Read(ctx, contract.ReadInput{Verb: l.listVerb})
	if err != nil {
		return nil, err
	}
	return l.layout.PickNamed(l.rowsOf(res), names)
}

func (l *locations[Row]) completeNames(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return l.CompleteWords(c, func(ctx context.Context, be console.Backend) ([]string, error) {
		all, err := l.list(ctx, be, nil)
		return l.layout.Names(all), err
	})
}

func (l *locations[Row]) printList(ctx context.Context, be console.Backend, out console.Output, rows []Row) error {
	if _, err := l.NoteDifferentWorkers(ctx, be); err != nil {
		return err
	}
	return l.layout.PrintRows(l.Console, out, rows, func() any { return map[string]any{"items": append([]Row{}, rows...)} })
}

// checkRows checks one location after the other. The outcome is an error if any is not
// available.
func (l *locations[Row]) checkRows(ctx context.Context, be console.Backend, out console.Output, rows []Row) error {
	words := strings.ReplaceAll(l.layout.Word, "-", " ")
	if len(rows) == 0 {
		return fmt.Errorf("%s: %w: the worker's configuration has none", words, temporal.ErrNotFound)
	}
	checked := make([]Row, 0, len(rows))
	for _, row := range rows {
		res, err := be.Read(ctx, l.checkOf(row))
		if err != nil {
			return fmt.Errorf("check %s %q: %w", words, l.layout.Name(row), err)
		}
		checked = append(checked, l.rowsOf(res)...)
	}
	if err := l.printChecks(checked, out); err != nil {
		return err
	}
	if slices.ContainsFunc(checked, func(row Row) bool { return l.phaseOf(row) != "Available" }) {
		return console.Outcome{Code: console.CodeError}
	}
	return nil
}

func (l *locations[Row]) printChecks(checked []Row, out console.Output) error {
	if out.IsDocument() {
		return show.Document(l.Stdout, out.Format, map[string]any{"items": checked})
	}
	for _, row := range checked {
		if err := l.printChecked(row); err != nil {
			return err
		}
	}
	return nil
}

func (cs Commands) printCapabilities(all []contract.Capability) error {
	if len(all) == 0 {
		return nil // of one that cannot be used nothing was tried
	}
	var rows [][]string
	for _, c := range all {
		ok := "yes"
		if !c.OK {
			ok = "no"
		}
		rows = append(rows, []string{c.Name, ok, c.Detail, c.Consequence})
	}
	return show.Table(cs.Stdout, []string{"CAPABILITY", "OK", "DETAIL", "CONSEQUENCE"}, rows)
}
