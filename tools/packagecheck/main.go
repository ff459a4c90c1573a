// Command packagecheck holds the product's packages against docs/ARCHITECTURE.md: how large a
// package may be, which packages may import which, which strings and names only some packages
// may have, and whether the documents that comments cite have the section. It also reports what is a matter of taste and no error: the share
// of function names of one word, and file names that share a prefix as if in a folder.
//
// Usage, in the module's root:
//
//	go -C tools run ./packagecheck "$PWD"
//
// The rules are the tables in rules.go. Exit code 1 means that one is broken, 2 that the
// code could not be read.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	os.Exit(run(root, os.Stdout, os.Stderr))
}

// run reports the figures to out and what breaks a rule to problems, and gives the exit code.
func run(root string, out, problems io.Writer) int {
	violations, err := checkModule(root, out)
	if err != nil {
		_, _ = fmt.Fprintln(problems, "packagecheck:", err)
		return 2
	}
	for _, v := range violations {
		_, _ = fmt.Fprintln(problems, "packagecheck:", v)
	}
	if len(violations) > 0 {
		return 1
	}
	return 0
}

func checkModule(root string, out io.Writer) ([]string, error) {
	packages, err := readPackages(root)
	if err != nil {
		return nil, err
	}
	sections, err := readSections(root, packages)
	if err != nil {
		return nil, err
	}
	r := productRules()
	writeReport(out, r, packages)
	return slices.Concat(r.check(packages), r.checkReserved(packages), checkCitations(packages, sections)), nil
}
