package show

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table prints rows under a header, aligned as kubectl aligns them.
func Table(w io.Writer, header []string, rows [][]string) error {
	tab := tabwriter.NewWriter(w, 6, 4, 3, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		if _, err := fmt.Fprintln(tab, strings.Join(row, "\t")); err != nil {
			return fmt.Errorf("print table: %w", err)
		}
	}
	if err := tab.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}
