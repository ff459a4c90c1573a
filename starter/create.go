package main

import (
	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/starter/internal/input"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

type createOptions struct {
	file string
	wait bool
	out  output
}

func (o *createOptions) bindFlags(c *cobra.Command) {
	c.Flags().StringVarP(&o.file, "filename", "f", "", "Velero manifest to start from, '-' for standard input; flags override it")
	c.Flags().BoolVarP(&o.wait, "wait", "w", false, "wait until it has ended, showing progress; Ctrl-C stops only the waiting")
	o.out.bindFlag(c, "", show.FormatJSON, show.FormatYAML)
	c.Flags().Lookup("output").Usage = "print the manifest as json or yaml and start nothing"
}

// source is the manifest to start from.
func (o *createOptions) source(a *app) input.Source {
	return input.Source{File: o.file, Stdin: a.stdin}
}
