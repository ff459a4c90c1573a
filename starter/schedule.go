package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/schedules"
)

func (a *app) scheduleCommand() *cobra.Command {
	return command.Group("schedule", "Make, apply, show and delete schedules of backups", []string{"schedules"}, schedules.Commands(scheduleConsole{a})...)
}

// scheduleConsole is the program around the commands of schedules.
type scheduleConsole struct{ *app }

func (c scheduleConsole) Connect(ctx context.Context, do func(schedules.Backend) error) error {
	return c.WithBackend(ctx, func(be console.Backend) error { return do(scheduleBackend{be, c.app}) })
}

func (c scheduleConsole) Complete(cmd *cobra.Command, list func(context.Context, schedules.Backend) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	return c.CompleteWords(cmd, func(ctx context.Context, be console.Backend) ([]string, error) {
		return list(ctx, scheduleBackend{be, c.app})
	})
}

func (c scheduleConsole) Stdin() io.Reader  { return c.Console.Stdin }
func (c scheduleConsole) Stdout() io.Writer { return c.Console.Stdout }
func (c scheduleConsole) Clock() time.Time  { return c.Now() }

// scheduleBackend waits for the changes that it starts.
type scheduleBackend struct {
	console.Backend
	app *app
}

func (b scheduleBackend) Change(ctx context.Context, in contract.ChangeSchedulesInput) (contract.ChangeSchedulesResult, error) {
	var res contract.ChangeSchedulesResult
	run, err := b.StartScheduleChange(ctx, in)
	if err != nil {
		return res, err
	}
	if err := b.app.FollowRun(ctx, b.Backend, run, &res); err != nil {
		return res, b.app.FailedRun(run, err)
	}
	return res, nil
}
