package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// group is a noun (or a verb, for Velero's verb-noun order) with commands below.
// An unknown word below it is an error, not a silent help page.
func group(use, short string, aliases []string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Aliases: aliases,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return fmt.Errorf("unknown command %q for %q: use one of %s", args[0], c.CommandPath(), names(c))
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(children...)
	return c
}

func names(c *cobra.Command) string {
	var out []string
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() {
			out = append(out, child.Name())
		}
	}
	return strings.Join(out, ", ")
}

// as puts a verb's command under another word: `backup create` is `create backup`
// too.
func as(noun string, c *cobra.Command) *cobra.Command {
	_, rest, _ := strings.Cut(c.Use, " ")
	c.Use = strings.TrimSpace(noun + " " + rest)
	c.Aliases = []string{noun + "s"}
	return c
}

// verbCommands are Velero's verb-noun forms.
func (a *app) verbCommands() []*cobra.Command {
	verb := func(use, short string, children ...*cobra.Command) *cobra.Command {
		return group(use, short, nil, children...)
	}
	return []*cobra.Command{
		verb("create", "Same as 'backup create' and 'restore create'", as("backup", a.backupCreate()), as("restore", a.restoreCreate())),
		verb("get", "Same as 'backup get', 'restore get', 'location get' and 'snapshot-location get'",
			as("backup", a.backupGet()), as("restore", a.restoreGet()), as("location", a.locationGet()),
			as("snapshot-location", a.snapshotLocationGet())),
		verb("describe", "Same as 'backup describe' and 'restore describe'", as("backup", a.backupDescribe()), as("restore", a.restoreDescribe())),
		verb("delete", "Same as 'backup delete'", as("backup", a.backupDelete())),
	}
}
