package main

import (
	"fmt"
	"io"
	"strconv"
)

// writeReport prints the figures of all packages, and what is no error but worth a look.
func writeReport(w io.Writer, r rules, packages []goPackage) {
	const row = "%6s %6s %10s %10s %6s  %s\n"
	_, _ = fmt.Fprintf(w, row, "lines", "limit", "functions", "one word", "", "package")
	var lines, oneWords, names int
	for _, p := range packages {
		n := countOneWord(p.Functions)
		_, _ = fmt.Fprintf(w, row, number(p.Lines), number(r.limit(p.Path)), number(len(p.Functions)), number(n), share(n, len(p.Functions)), p.Path)
		lines, oneWords, names = lines+p.Lines, oneWords+n, names+len(p.Functions)
	}
	_, _ = fmt.Fprintf(w, row, number(lines), "", number(names), number(oneWords), share(oneWords, names), number(len(packages))+" packages")
	all, back := r.countImports(packages)
	_, _ = fmt.Fprintf(w, "imports of one package by another: %d, of them against the layers: %d\n", all, back)
	for _, p := range packages {
		for _, f := range families(p.Files) {
			_, _ = fmt.Fprintf(w, "files that share a prefix: %s/%s* (%d)\n", p.Path, f.Prefix, f.Files)
		}
	}
}

// countOneWord is how many of the unexported names are one word.
func countOneWord(names []string) int {
	n := 0
	for _, name := range names {
		if oneWord(name) {
			n++
		}
	}
	return n
}

func number(n int) string { return strconv.Itoa(n) }

// share is a percentage, "" of nothing.
func share(part, whole int) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf("%d %%", (100*part+whole/2)/whole)
}
