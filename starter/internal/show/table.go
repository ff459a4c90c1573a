package show

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table prints rows under a header, aligned as kubectl aligns them. Columns without
// a value in any row are kept: scripts count columns.
func Table(w io.Writer, header []string, rows [][]string) error {
	var text bytes.Buffer
	tab := tabwriter.NewWriter(&text, 6, 4, 3, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		for i := range row {
			row[i] = Clean(row[i])
		}
		if _, err := fmt.Fprintln(tab, strings.Join(row, "\t")); err != nil {
			return fmt.Errorf("print table: %w", err)
		}
	}
	if err := tab.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return fmt.Errorf("print table: %w", err)
		}
	}
	return nil
}
