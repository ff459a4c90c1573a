package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/starter/internal/schedules"
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
			return unknownCommand(c, args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(children...)
	return c
}

func childNames(c *cobra.Command) string {
	var out []string
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() {
			out = append(out, child.Name())
		}
	}
	return strings.Join(out, ", ")
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
	schedule := func(c func(schedules.Console) *cobra.Command) *cobra.Command {
		return withNoun("schedule", c(scheduleConsole{a}))
	}
	return []*cobra.Command{
		verb("create", "Same as 'backup create', 'restore create' and 'schedule create'",
			withNoun("backup", a.backupCreate()), withNoun("restore", a.restoreCreate()), schedule(schedules.Create)),
		verb("get", "Same as 'backup get', 'restore get', 'schedule get', 'location get' and 'snapshot-location get'",
			withNoun("backup", a.backupGet()), withNoun("restore", a.restoreGet()), schedule(schedules.Get), withNoun("location", a.locationGet()),
			withNoun("snapshot-location", a.snapshotLocationGet())),
		verb("describe", "Same as 'backup describe', 'restore describe' and 'schedule describe'",
			withNoun("backup", a.backupDescribe()), withNoun("restore", a.restoreDescribe()), schedule(schedules.Describe)),
		verb("delete", "Same as 'backup delete' and 'schedule delete'", withNoun("backup", a.backupDelete()), schedule(schedules.Delete)),
	}
}
