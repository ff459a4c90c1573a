package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/starter/internal/changes"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
	"github.com/lifeboat-backup/lifeboat/starter/internal/stored"
)

// changes are the commands that compare backups.
func (a *app) changes() changes.Env {
	return changes.Env{
		Out: a.Stdout, NoteUnread: a.NoteUnread, CompleteBackups: a.backups().CompleteNames,
		Connected: func(do func(context.Context, stored.Read, []string) error) func(*cobra.Command, []string) error {
			return a.Connected(func(ctx context.Context, be console.Backend, args []string) error { return do(ctx, be.Read, args) })
		},
		BindFormat: func(c *cobra.Command, format *string) {
			o := &console.Output{}
			o.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
			check := c.PreRunE
			c.PreRunE = func(c *cobra.Command, args []string) error { *format = o.Format; return check(c, args) }
		},
		BindLocation: console.BindLocation, BindTrust: console.BindTrust,
	}
}

func (a *app) objectCommand() *cobra.Command {
	return command.Group("object", "Follow one object through the backups", []string{"objects"}, a.changes().HistoryCommand())
}
