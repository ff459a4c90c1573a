package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/drills"
)

func (a *app) drillCommand() *cobra.Command {
	return command.Group("drill", "Prove backups by restoring them, and check the evidence", []string{"drills"}, drills.Commands(drillConsole{a})...)
}

// drillConsole is the program around the commands of drills.
type drillConsole struct{ *app }

func (c drillConsole) Connect(ctx context.Context, do func(drills.Backend) error) error {
	return c.withBackend(ctx, func(be backend) error { return do(drillBackend{be, c.app}) })
}

func (c drillConsole) Stdin() io.Reader                { return c.stdin }
func (c drillConsole) Stdout() io.Writer               { return c.stdout }
func (c drillConsole) Say(format string, args ...any)  { c.say(format, args...) }
func (c drillConsole) Note(format string, args ...any) { c.note(format, args...) }
func (c drillConsole) Clock() time.Time                { return c.now() }
func (c drillConsole) End(code int) error              { return outcome{code} }

// drillBackend waits for the drills that it starts.
type drillBackend struct {
	backend
	app *app
}

func (b drillBackend) Drill(ctx context.Context, in contract.DrillInput, wait bool) (*contract.DrillResult, error) {
	run, err := b.StartDrill(ctx, in)
	if err != nil {
		return nil, err
	}
	report := func(ctx context.Context, be backend, run temporal.Run) (*contract.DrillResult, error) {
		res := &contract.DrillResult{}
		if err := b.app.followRun(ctx, be, run, res); err != nil {
			return nil, b.app.failedRun(run, err)
		}
		return res, nil
	}
	if wait {
		return report(ctx, b.backend, run)
	}
	short, cancel := context.WithTimeout(ctx, b.app.patience)
	defer cancel()
	var failed *temporal.RunError
	if err := b.Follow(short, run, nil, b.app.patience, nil); err == nil || errors.As(err, &failed) {
		return report(ctx, b.backend, run)
	}
	b.app.say("Drill %q is running as workflow %s.\nNext: lifeboat drill run %s --wait shows its progress, lifeboat drill stop ends it\n", in.Name, run.WorkflowID, in.Name)
	return nil, nil
}
