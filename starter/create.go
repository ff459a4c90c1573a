package main

import (
	"io"

	"github.com/spf13/cobra"

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

// readInput is the manifest, if any, changed by flags.
func readInput[T any](a *app, o *createOptions, decode func(io.Reader) (T, error), changes *edits[T]) (in T, err error) {
	if o.file != "" {
		if in, err = manifestOf(a, o.file, decode); err != nil {
			return in, err
		}
	}
	return in, changes.apply(&in)
}
