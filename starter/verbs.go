package main

import (
	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/schedules"
)

// verbCommands are Velero's verb-noun forms.
func (a *app) verbCommands() []*cobra.Command {
	verb := func(use, short string, children ...*cobra.Command) *cobra.Command {
		return command.Group(use, short, nil, children...)
	}
	schedule := func(c func(schedules.Console) *cobra.Command) *cobra.Command {
		return command.WithNoun("schedule", c(a.schedules()))
	}
	return []*cobra.Command{
		verb("create", "Same as 'backup create', 'restore create' and 'schedule create'",
			command.WithNoun("backup", a.backups().Create()), command.WithNoun("restore", a.restores().Create()), schedule(schedules.Create)),
		verb("get", "Same as 'backup get', 'restore get', 'schedule get', 'location get' and 'snapshot-location get'",
			command.WithNoun("backup", a.backups().Get()), command.WithNoun("restore", a.restores().Get()), schedule(schedules.Get), command.WithNoun("location", a.locations().GetStorage()),
			command.WithNoun("snapshot-location", a.locations().GetSnapshot())),
		verb("describe", "Same as 'backup describe', 'restore describe' and 'schedule describe'",
			command.WithNoun("backup", a.backups().Describe()), command.WithNoun("restore", a.restores().Describe()), schedule(schedules.Describe)),
		verb("delete", "Same as 'backup delete' and 'schedule delete'", command.WithNoun("backup", a.backups().Delete()), schedule(schedules.Delete)),
	}
}
