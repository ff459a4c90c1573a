// Package schedules has the commands of `lifeboat schedule`, and those of `lifeboat drill schedule`
// that do the same.
//
//   - schedules.go: what they need of the program around them.
//   - kind.go: schedules of backups, schedules of drills.
//   - console.go: the program around them.
//   - change.go: create, apply, pause, unpause, trigger, delete.
//   - read.go: get, describe.
//   - simulate.go, simulated.go: simulate; its plan and its tables.
//   - text.go: what tables and descriptions say.
package schedules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Console is the program around the commands.
type Console interface {
	// Connect connects to Temporal, runs do and closes the connection.
	Connect(ctx context.Context, do func(Backend) error) error
	// Confirm asks for a yes; an error is a no.
	Confirm(question string) error
	// Complete offers the words that list gives.
	Complete(c *cobra.Command, list func(context.Context, Backend) ([]string, error)) ([]string, cobra.ShellCompDirective)
	Stdin() io.Reader
	Stdout() io.Writer
	Say(format string, args ...any)  // a result
	Note(format string, args ...any) // a remark, to stderr
	Clock() time.Time
	// Kind is of what the schedules are.
	Kind() Kind
}

// Backend is what is asked of Temporal and the worker.
type Backend interface {
	// Schedules reads all schedules, or the named one with its due times.
	Schedules(ctx context.Context, name string) ([]contract.ScheduleStatus, error)
	// Change has schedules changed and waits for it.
	Change(ctx context.Context, in contract.ChangeSchedulesInput) (contract.ChangeSchedulesResult, error)
	Trigger(ctx context.Context, name, overlap string) error
}

// Commands are all of those of backups.
func Commands(io Console) []*cobra.Command {
	return append([]*cobra.Command{Create(io), simulateCommand(io)}, Common(io)...)
}

// Common are the commands that schedules of any kind have.
func Common(io Console) []*cobra.Command {
	return []*cobra.Command{applyCommand(io), Get(io), Describe(io), pauseCommand(io), unpauseCommand(io), triggerCommand(io), Delete(io)}
}

// BindOutput adds -o to a command and has it checked before the command runs.
func BindOutput(c *cobra.Command, format *string, fallback string, allowed ...string) {
	c.Flags().StringVarP(format, "output", "o", fallback, "output format: "+strings.Join(allowed, ", "))
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	c.PreRunE = func(*cobra.Command, []string) error {
		if *format == "" || slices.Contains(allowed, *format) {
			return nil
		}
		return fmt.Errorf("--output: %q is not one of %s", *format, strings.Join(allowed, ", "))
	}
}

func isDocument(format string) bool { return format == show.FormatJSON || format == show.FormatYAML }

// completeNames offers the names of schedules.
func completeNames(io Console) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return io.Complete(c, func(ctx context.Context, be Backend) ([]string, error) {
			all, err := be.Schedules(ctx, "")
			return namesOf(all), err
		})
	}
}

func namesOf(all []contract.ScheduleStatus) []string {
	names := make([]string, 0, len(all))
	for _, s := range all {
		names = append(names, s.Schedule.Name)
	}
	return names
}

// selection says which schedules a command is about.
type selection struct {
	all      bool
	selector string
}

func (s *selection) bindFlags(c *cobra.Command, verb string) {
	c.Flags().BoolVar(&s.all, "all", false, verb+" all schedules")
	c.Flags().StringVarP(&s.selector, "selector", "l", "", verb+" the schedules with these labels")
}

// check is the Args of a command that does something to the schedules that are chosen.
func (s *selection) check(_ *cobra.Command, names []string) error {
	given := 0
	for _, way := range []bool{len(names) > 0, s.all, s.selector != ""} {
		if way {
			given++
		}
	}
	if given != 1 {
		return errors.New("say which schedules in one way: names, --selector or --all")
	}
	_, err := listing.ParseMatcher(s.selector)
	return err
}

// pick gives the schedules that are meant. A name that is not there is an error.
func (s *selection) pick(ctx context.Context, k Kind, be Backend, names []string) ([]contract.ScheduleStatus, error) {
	match, err := listing.ParseMatcher(s.selector)
	if err != nil {
		return nil, err
	}
	all, err := be.Schedules(ctx, "")
	if err != nil {
		return nil, err
	}
	return pickNamed(k, slices.DeleteFunc(all, func(row contract.ScheduleStatus) bool { return !match(row.Schedule.Labels) }), names)
}

// setAside takes out of schedules that were not named one by one those of the configuration that are
// left as they are, and gives the names of both.
func (s *selection) setAside(picked []contract.ScheduleStatus, but leave) (names, left []string) {
	for _, row := range picked {
		if (s.all || s.selector != "") && row.Source == "config" && but.which != nil && but.which(row) {
			left = append(left, row.Schedule.Name)
			continue
		}
		names = append(names, row.Schedule.Name)
	}
	return names, left
}

// pickNamed keeps those of the names, all for none.
func pickNamed(k Kind, all []contract.ScheduleStatus, names []string) ([]contract.ScheduleStatus, error) {
	if len(names) == 0 {
		return all, nil
	}
	var out []contract.ScheduleStatus
	for _, name := range names {
		i := slices.Index(namesOf(all), name)
		if i < 0 {
			return nil, fmt.Errorf("schedule %q: %w; see 'lifeboat %s get'", name, temporal.ErrNotFound, k.command)
		}
		out = append(out, all[i])
	}
	return out, nil
}
