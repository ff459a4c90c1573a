package schedules

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/input"
)

// On is the program around the commands of schedules of a kind.
func On(con *console.Console, of Kind) Console { return terminal{con, of} }

type terminal struct {
	con *console.Console
	of  Kind
}

func (t terminal) Connect(ctx context.Context, do func(Backend) error) error {
	return t.con.WithBackend(ctx, func(be console.Backend) error { return do(backend{be, t}) })
}

func (t terminal) Complete(cmd *cobra.Command, list func(context.Context, Backend) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	return t.con.CompleteWords(cmd, func(ctx context.Context, be console.Backend) ([]string, error) {
		return list(ctx, backend{be, t})
	})
}

func (t terminal) Confirm(question string) error   { return t.con.Confirm(question) }
func (t terminal) Stdin() io.Reader                { return t.con.Stdin }
func (t terminal) Stdout() io.Writer               { return t.con.Stdout }
func (t terminal) Say(format string, args ...any)  { t.con.Say(format, args...) }
func (t terminal) Note(format string, args ...any) { t.con.Note(format, args...) }
func (t terminal) Clock() time.Time                { return t.con.Now() }
func (t terminal) Kind() Kind                      { return t.of }

// backend waits for the changes that it starts.
type backend struct {
	be console.Backend
	on terminal
}

func (b backend) Schedules(ctx context.Context, name string) ([]contract.ScheduleStatus, error) {
	verb := contract.ReadSchedules
	if b.on.of.drills {
		verb = contract.ReadDrillSchedules
	}
	res, err := b.be.Read(ctx, contract.ReadInput{Verb: verb, Name: name})
	return res.Schedules, err
}

func (b backend) Change(ctx context.Context, in contract.ChangeSchedulesInput) (contract.ChangeSchedulesResult, error) {
	var res contract.ChangeSchedulesResult
	in.Drills = b.on.of.drills
	run, err := b.be.StartScheduleChange(ctx, in)
	if err != nil {
		return res, err
	}
	if err := b.on.con.FollowRun(ctx, b.be, run, &res); err != nil {
		if in.Create && !b.on.of.drills {
			nameFlags(err)
		}
		return res, b.on.con.FailedRun(run, err)
	}
	return res, nil
}

// nameFlags has a worker's refusal name the flags of `schedule create` in place of the fields that
// they set.
func nameFlags(err error) {
	if failed := (*temporal.RunError)(nil); errors.As(err, &failed) {
		failed.Message = input.NameScheduleFlags(failed.Message)
	}
}

func (b backend) Trigger(ctx context.Context, name, overlap string) error {
	return b.be.TriggerSchedule(ctx, b.on.of.drills, name, overlap)
}
