package schedules

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/schedule/preset"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/input"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Create is `schedule create`.
func Create(io Console) *cobra.Command {
	var format, scheme string
	c := &cobra.Command{
		Use:   "create NAME --schedule CRON",
		Short: "Make a schedule of backups",
		Long: `Make a schedule of backups. It starts none at once: the first comes at the first due time,
which is shown. All flags of 'backup create' describe its backups, which are called
NAME-YYYYMMDDhhmmss after their due time and have the label velero.io/schedule-name.

The worker checks everything before the schedule is made.`,
		Example: `  # Every night, kept for a week
  lifeboat schedule create nightly --schedule "0 2 * * *" --ttl 168h

  # In a time zone: once each local day, also when clocks change
  lifeboat schedule create nightly --schedule "0 2 * * *" --time-zone Europe/Berlin

  # Seven daily, four weekly and twelve monthly backups
  lifeboat schedule create --preset gfs

  # See the manifest, to keep it in a repository
  lifeboat schedule create nightly --schedule @daily -o yaml`,
		Args: cobra.MaximumNArgs(1),
	}
	changes := input.ScheduleFlags(c.Flags())
	c.Flags().StringVar(&scheme, "preset", "", "make the schedules of a scheme: "+strings.Join(preset.Names(), ", ")+"; flags change each of them")
	BindOutput(c, &format, "", show.FormatJSON, show.FormatYAML)
	c.Flags().Lookup("output").Usage = "print the manifest as json or yaml and make nothing"
	c.RunE = func(c *cobra.Command, args []string) error {
		all, err := newSchedules(scheme, changes, args)
		if err != nil {
			return err
		}
		return Make(c.Context(), io, format, all)
	}
	return c
}

// newSchedules are those that flags describe.
func newSchedules(scheme string, changes *input.ScheduleChanges, args []string) ([]contract.Schedule, error) {
	documents := []velerov1.Schedule{{}}
	switch {
	case scheme == "" && len(args) == 0:
		return nil, errors.New("a schedule needs a name: lifeboat schedule create NAME --schedule CRON")
	case scheme == "":
		documents[0].Name = args[0]
	case len(args) > 0:
		return nil, errors.New("--preset has names of its own: leave NAME out")
	default:
		var err error
		if documents, err = preset.Schedules(scheme); err != nil {
			return nil, fmt.Errorf("--preset: %w", err)
		}
	}
	var all []contract.Schedule
	for _, d := range documents {
		s, err := changes.Schedule(contract.Schedule{Name: d.Name, Labels: d.Labels, Annotations: d.Annotations, Spec: d.Spec})
		if err != nil {
			return nil, err
		}
		if s.Spec.Schedule == "" {
			return nil, errors.New("--schedule: say when it is due, such as \"0 2 * * *\" or @daily")
		}
		all = append(all, s)
	}
	return all, nil
}

func printDocuments(io Console, format string, all []contract.Schedule) error {
	documents := make([]any, 0, len(all))
	for _, s := range all {
		documents = append(documents, io.Kind().document(contract.ScheduleStatus{Schedule: s}))
	}
	return io.Kind().print(io.Stdout(), format, documents, len(documents) == 1)
}

// checkTimes finds what can be told of due times without a worker, which checks all the rest when
// a printed document is applied.
func checkTimes(all []contract.Schedule) error {
	var errs []error
	for _, s := range all {
		if _, err := timing.Parse(s.Spec.Schedule, s.Annotations[contract.AnnotationZone]); err != nil {
			errs = append(errs, fmt.Errorf("schedule %q: %w", s.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Make makes schedules, or prints their documents in a format and makes nothing.
func Make(ctx context.Context, io Console, format string, all []contract.Schedule) error {
	if format != "" {
		if err := checkTimes(all); err != nil {
			return err
		}
		return printDocuments(io, format, all)
	}
	return io.Connect(ctx, func(be Backend) error {
		return change(ctx, io, be, contract.ChangeSchedulesInput{Apply: all, Create: true})
	})
}

// applyOptions are the flags of `schedule apply`.
type applyOptions struct {
	files          []string
	source, format string
	prune          bool
}

func (o *applyOptions) bindFlags(c *cobra.Command, kind string) {
	c.Flags().StringArrayVarP(&o.files, "filename", "f", nil, "file or directory with documents of kind "+kind+", '-' for standard input; may be repeated")
	c.Flags().BoolVar(&o.prune, "prune", false, "delete the schedules that were applied from --source before and are not there any more")
	c.Flags().StringVar(&o.source, "source", "", "name of what is applied, such as that of its repository; --prune goes by it")
	BindOutput(c, &o.format, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
}

// read is what the flags ask for.
func (o *applyOptions) read(io Console) (contract.ChangeSchedulesInput, error) {
	if o.prune && o.source == "" {
		return contract.ChangeSchedulesInput{}, errors.New("--prune: name with --source what is applied, always by the same name, such as that of the repository: a directory of another repository may be called the same")
	}
	read, err := input.Schedules(input.Source{Stdin: io.Stdin()}, o.files, o.source, io.Kind().decode)
	if err != nil {
		return contract.ChangeSchedulesInput{}, err
	}
	for _, file := range read.PassedOver {
		io.Note("%s: passed over: it holds no document of Kubernetes\n", show.Clean(file))
	}
	return contract.ChangeSchedulesInput{Apply: read.Schedules, Sources: read.Sources, Prune: o.prune}, nil
}

// apply has schedules changed, and prints what became of each.
func (o *applyOptions) apply(ctx context.Context, io Console) error {
	in, err := o.read(io)
	if err != nil {
		return err
	}
	return io.Connect(ctx, func(be Backend) error {
		if o.format == show.FormatTable {
			return change(ctx, io, be, in)
		}
		res, err := be.Change(ctx, in)
		if err != nil {
			return err
		}
		return show.Document(io.Stdout(), o.format, res)
	})
}

func applyCommand(io Console) *cobra.Command {
	o, k := &applyOptions{}, io.Kind()
	c := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make or change the schedules of files",
		Long: "Make or change the schedules of files: " + k.documents + `. Other kinds are passed
over, and so are files of a directory that hold no document of Kubernetes. Everything is
checked before anything is changed.

Applied again, equal documents change nothing; no apply ever starts a run, and none
ends a pause that somebody has set with '` + k.command + ` pause'.

A schedule that was applied from the same place before, and is not there any more, is
reported. Where all applies name the place with --source, --prune deletes it; ` + strings.ToLower(k.left[:1]) + k.left[1:] + ` stay.
Without --source files are told apart by their base names only, by which nothing is
deleted. A schedule belongs to where it was applied from last, and an apply says when that
changes.`,
		Example: k.example("apply -f schedules.yaml", "apply -f schedules/ --source shop --prune") + k.applyExample,
		Args:    cobra.NoArgs,
	}
	o.bindFlags(c, k.kind)
	c.RunE = func(c *cobra.Command, _ []string) error { return o.apply(c.Context(), io) }
	return c
}

// change has schedules changed, and tells what became of each.
func change(ctx context.Context, io Console, be Backend, in contract.ChangeSchedulesInput) error {
	res, err := be.Change(ctx, in)
	if err != nil {
		return err
	}
	for _, c := range res.Changes {
		io.Say("%s\n", changeText(io.Kind(), c, io.Clock()))
		for _, w := range c.Warnings {
			io.Note("warning: schedule %q: %s\n", c.Name, show.Clean(w))
		}
	}
	return nil
}

func pauseCommand(io Console) *cobra.Command {
	return switchCommand(io, "pause", "Start no runs of schedules until they are unpaused",
		`Start no runs of schedules until they are unpaused. A run that goes on is not affected. Due
times that pass are accounted for as paused. An apply does not end the pause.`,
		leave{},
		func(in *contract.ChangeSchedulesInput, names []string) { in.Pause = names })
}

func unpauseCommand(io Console) *cobra.Command {
	c := switchCommand(io, "unpause", "Start runs of schedules again",
		"Start runs of schedules again, from the next due time on, which is shown. None starts at once.",
		leave{func(row contract.ScheduleStatus) bool { return row.Schedule.Spec.Paused && !row.PausedByHand }, "they are paused in the worker's configuration"},
		func(in *contract.ChangeSchedulesInput, names []string) { in.Unpause = names })
	c.Flags().Bool("skip-immediately", true, "kept for Velero: no schedule runs at once here")
	return c
}

// leave says which schedules of the configuration a command leaves as they are where all are meant,
// and why.
type leave struct {
	which func(contract.ScheduleStatus) bool
	why   string
}

func switchCommand(io Console, verb, short, long string, but leave, set func(*contract.ChangeSchedulesInput, []string)) *cobra.Command {
	chosen := &selection{}
	c := &cobra.Command{
		Use: verb + " [NAME...]", Short: short, Long: long,
		Example:           io.Kind().example(verb+" "+io.Kind().name, verb+" --all"),
		Args:              chosen.check,
		ValidArgsFunction: completeNames(io),
	}
	chosen.bindFlags(c, verb)
	c.RunE = chosen.run(io, but, func(ctx context.Context, be Backend, names []string) error {
		var in contract.ChangeSchedulesInput
		set(&in, names)
		return change(ctx, io, be, in)
	})
	return c
}

// run is the RunE of a command that does something to the schedules that are chosen.
func (s *selection) run(io Console, but leave, do func(ctx context.Context, be Backend, names []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, names []string) error {
		return io.Connect(c.Context(), func(be Backend) error {
			all, err := s.pick(c.Context(), io.Kind(), be, names)
			if err != nil {
				return err
			}
			if len(all) == 0 {
				io.Say("No schedules found.\n")
				return nil
			}
			names, left := s.setAside(all, but)
			if len(names) > 0 {
				if err := do(c.Context(), be, names); err != nil {
					return err
				}
			}
			if len(left) == 0 {
				return nil
			}
			io.Note("left as they are, for %s: %s\n", but.why, strings.Join(left, ", "))
			return console.Outcome{Code: console.CodePartiallyFailed}
		})
	}
}

func triggerCommand(io Console) *cobra.Command {
	return &cobra.Command{
		Use:   "trigger NAME",
		Short: "Start a run of a schedule now",
		Long: "Start a run of a schedule now, as if it were due. " + io.Kind().triggered + ` It also starts
while the schedule is paused.`,
		Example:           io.Kind().example("trigger " + io.Kind().name),
		Args:              console.OneName(io.Kind().command),
		ValidArgsFunction: completeNames(io),
		RunE: func(c *cobra.Command, args []string) error {
			return io.Connect(c.Context(), func(be Backend) error {
				all, err := (&selection{}).pick(c.Context(), io.Kind(), be, args)
				if err != nil {
					return err
				}
				s := all[0]
				if s.Phase == contract.ScheduleInvalid {
					return fmt.Errorf("schedule %q is invalid: %s", args[0], s.Message)
				}
				if err := be.Trigger(c.Context(), args[0], s.Overlap); err != nil {
					return err
				}
				io.Say("Schedule %q triggered; if a run of it goes on, this one is %s.\nNext: lifeboat %s describe %s\n", args[0], outcomeOfTrigger(s.Overlap), io.Kind().command, args[0])
				return nil
			})
		},
	}
}

func outcomeOfTrigger(overlap string) string {
	if overlap == contract.OverlapBufferOne {
		return "begun afterwards"
	}
	return "skipped"
}

// Delete is `schedule delete`.
func Delete(io Console) *cobra.Command {
	chosen, confirm, k := &selection{}, false, io.Kind()
	c := &cobra.Command{
		Use:   "delete [NAME...]",
		Short: "Delete schedules; " + strings.ToLower(k.left[:1]) + k.left[1:] + " stay",
		Long: "Delete schedules, with the record of their runs. " + k.leftLong + ` A run that goes on
is not affected.`,
		Example:           k.example("delete "+k.name, "delete -l team=shop --confirm"),
		Args:              chosen.check,
		ValidArgsFunction: completeNames(io),
	}
	chosen.bindFlags(c, "delete")
	c.Flags().BoolVar(&confirm, "confirm", false, "do not ask")
	declared := leave{func(contract.ScheduleStatus) bool { return true }, "they stand in the worker's configuration"}
	c.RunE = chosen.run(io, declared, func(ctx context.Context, be Backend, names []string) error {
		if !confirm {
			if err := io.Confirm("Delete the schedules " + strings.Join(names, ", ") + "? " + k.left + " stay."); err != nil {
				return err
			}
		}
		return change(ctx, io, be, contract.ChangeSchedulesInput{Delete: names})
	})
	return c
}
