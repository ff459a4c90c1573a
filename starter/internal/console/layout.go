package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Layout is how things of one sort are named and laid out in a table.
type Layout[Row any] struct {
	Word   string // what messages and commands call one
	Name   func(Row) string
	Header []string
	Cells  func(Row) []string
	Empty  string // is said in place of an empty table; "" prints the header alone
}

// Names are what the rows are called.
func (l Layout[Row]) Names(rows []Row) []string {
	var out []string
	for _, row := range rows {
		out = append(out, l.Name(row))
	}
	return out
}

// WithLabels adds the column of --show-labels.
func (l Layout[Row]) WithLabels(labels func(Row) map[string]string) Layout[Row] {
	return l.WithColumn("LABELS", func(row Row) string { return strings.Join(show.LabelPairs(labels(row)), ",") })
}

// WithColumn adds a column at the right; an empty text is printed as none.
func (l Layout[Row]) WithColumn(header string, text func(Row) string) Layout[Row] {
	cells := l.Cells
	l.Header = append(slices.Clone(l.Header), header)
	l.Cells = func(row Row) []string { return append(cells(row), show.Or(text(row), "<none>")) }
	return l
}

// PickNamed keeps the rows of the names asked for, all rows for none; a name without a
// row is an error.
func (l Layout[Row]) PickNamed(all []Row, names []string) ([]Row, error) {
	if len(names) == 0 {
		return all, nil
	}
	var out []Row
	for _, name := range names {
		before := len(out)
		for _, row := range all {
			if l.Name(row) == name {
				out = append(out, row) // storage locations may each have one
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("%s %q: %w; see 'lifeboat %s get'", l.Word, name, temporal.ErrNotFound, l.Word)
		}
	}
	return out, nil
}

// PrintRows prints a list in the format of -o; document is its form for programs.
func (l Layout[Row]) PrintRows(con *Console, out Output, rows []Row, document func() any) error {
	switch {
	case out.Format == show.FormatName:
		for _, name := range l.Names(rows) {
			con.Say("%s\n", name)
		}
		return nil
	case out.IsDocument():
		return show.Document(con.Stdout, out.Format, document())
	case len(rows) == 0 && l.Empty != "":
		con.Say("%s\n", l.Empty)
		return nil
	}
	var table [][]string
	for _, row := range rows {
		table = append(table, l.Cells(row))
	}
	return show.Table(con.Stdout, l.Header, table)
}
