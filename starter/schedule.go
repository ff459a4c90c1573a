package main

import (
	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/schedules"
)

func (a *app) scheduleCommand() *cobra.Command {
	return command.Group("schedule", "Make, apply, show and delete schedules of backups", []string{"schedules"}, schedules.Commands(a.schedules())...)
}

func (a *app) schedules() schedules.Console { return schedules.On(a.Console, schedules.Backups()) }
