package noun

import (
	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/input"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// CreateOptions are the flags that `backup create` and `restore create` have alike.
type CreateOptions struct {
	File string
	Wait bool
	Out  console.Output
}

// BindFlags adds them to a command.
func (o *CreateOptions) BindFlags(c *cobra.Command) {
	c.Flags().StringVarP(&o.File, "filename", "f", "", "Velero manifest to start from, '-' for standard input; flags override it")
	c.Flags().BoolVarP(&o.Wait, "wait", "w", false, "wait until it has ended, showing progress; Ctrl-C stops only the waiting")
	o.Out.BindFlag(c, "", show.FormatJSON, show.FormatYAML)
	c.Flags().Lookup("output").Usage = "print the manifest as json or yaml and start nothing"
}

// Source is the manifest to start from.
func (o *CreateOptions) Source(con *console.Console) input.Source {
	return input.Source{File: o.File, Stdin: con.Stdin}
}
