package main

import (
	"strings"

	"github.com/lifeboat-backup/lifeboat/starter/internal/habits"

	"github.com/spf13/cobra"
)

// groupCommand is a noun (or a verb, for Velero's verb-noun order) with commands below.
// An unknown word below it is an error, not a silent help page.
func groupCommand(use, short string, aliases []string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Aliases: aliases,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return habits.UnknownCommand(c, args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(children...)
	return c
}

// withNoun puts a verb's command under another word: `backup create` is `create backup`
// too.
func withNoun(noun string, c *cobra.Command) *cobra.Command {
	_, rest, _ := strings.Cut(c.Use, " ")
	c.Use = strings.TrimSpace(noun + " " + rest)
	c.Aliases = []string{noun + "s"}
	if noun == "location" {
		c.Aliases = append(c.Aliases, "backup-location", "backup-locations", "bsl")
	}
	return c
}

// verbCommands are Velero's verb-noun forms.
func (a *app) verbCommands() []*cobra.Command {
	verb := func(use, short string, children ...*cobra.Command) *cobra.Command {
		return groupCommand(use, short, nil, children...)
	}
	return []*cobra.Command{
		verb("create", "Same as 'backup create' and 'restore create'", withNoun("backup", a.backupCreate()), withNoun("restore", a.restoreCreate())),
		verb("get", "Same as 'backup get', 'restore get', 'location get' and 'snapshot-location get'",
			withNoun("backup", a.backupGet()), withNoun("restore", a.restoreGet()), withNoun("location", a.locationGet()),
			withNoun("snapshot-location", a.snapshotLocationGet())),
		verb("describe", "Same as 'backup describe' and 'restore describe'", withNoun("backup", a.backupDescribe()), withNoun("restore", a.restoreDescribe())),
		verb("delete", "Same as 'backup delete'", withNoun("backup", a.backupDelete())),
	}
}
