package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/schedules"
)

func (a *app) scheduleCommand() *cobra.Command {
	return command.Group("schedule", "Make, apply, show and delete schedules of backups", []string{"schedules"}, schedules.Commands(scheduleConsole{a})...)
}

// scheduleConsole is the program around the commands of schedules.
type scheduleConsole struct{ *app }

func (c scheduleConsole) Connect(ctx context.Context, do func(schedules.Backend) error) error {
	return c.withBackend(ctx, func(be backend) error { return do(scheduleBackend{be, c.app}) })
}

func (c scheduleConsole) Complete(cmd *cobra.Command, list func(context.Context, schedules.Backend) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	return c.completeWords(cmd, func(ctx context.Context, be backend) ([]string, error) { return list(ctx, scheduleBackend{be, c.app}) })
}

func (c scheduleConsole) Confirm(question string) error   { return c.askToConfirm(question) }
func (c scheduleConsole) Stdin() io.Reader                { return c.stdin }
func (c scheduleConsole) Stdout() io.Writer               { return c.stdout }
func (c scheduleConsole) Say(format string, args ...any)  { c.say(format, args...) }
func (c scheduleConsole) Note(format string, args ...any) { c.note(format, args...) }
func (c scheduleConsole) Clock() time.Time                { return c.now() }

// scheduleBackend waits for the changes that it starts.
type scheduleBackend struct {
	backend
	app *app
}

func (b scheduleBackend) Change(ctx context.Context, in contract.ChangeSchedulesInput) (contract.ChangeSchedulesResult, error) {
	var res contract.ChangeSchedulesResult
	run, err := b.StartScheduleChange(ctx, in)
	if err != nil {
		return res, err
	}
	if err := b.app.followRun(ctx, b.backend, run, &res); err != nil {
		return res, b.app.failedRun(run, err)
	}
	return res, nil
}
