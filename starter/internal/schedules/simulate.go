package schedules

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/schedule/preset"
	"github.com/lifeboat-backup/lifeboat/internal/simulation"
	"github.com/lifeboat-backup/lifeboat/starter/internal/input"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// simulateOptions are the flags of `schedule simulate`.
type simulateOptions struct {
	format          string
	files           []string
	preset          string
	from, to        string
	estimate        estimate
	quota, keepLast int
}

func (o *simulateOptions) bindFlags(c *cobra.Command) {
	BindOutput(c, &o.format, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	f := c.Flags()
	f.StringSliceVarP(&o.files, "filename", "f", nil, "files or directories with Velero Schedules; '-' for standard input")
	f.StringVar(&o.preset, "preset", "", "schedules of a preset: "+strings.Join(preset.Names(), ", "))
	f.StringVar(&o.from, "from", "", "beginning, as 2027-01-31 or 2027-01-31T00:00:00Z (default now)")
	f.StringVar(&o.to, "to", "", "end, in the same form: runs due before it are counted (default a year after the beginning)")
	f.DurationVar(&o.estimate.Duration, "duration", 10*time.Minute, "how long a backup takes")
	f.DurationVar(&o.estimate.TTL, "default-ttl", 720*time.Hour, "how long backups are kept whose schedule names no ttl")
	f.IntVar(&o.estimate.Snapshots, "snapshots", 0, "how many volumes a backup takes snapshots of")
	f.IntVar(&o.quota, "quota", 0, "how many snapshots the account may have, to compare the peak with")
	f.IntVar(&o.keepLast, "keep-last", retention.DefaultFloor, "good backups of each schedule that are never deleted, as the worker's retention.keepLast")
	_ = c.RegisterFlagCompletionFunc("preset", cobra.FixedCompletions(preset.Names(), cobra.ShellCompDirectiveNoFileComp))
}

func simulateCommand(io Console) *cobra.Command {
	o := &simulateOptions{}
	c := &cobra.Command{
		Use:   "simulate [NAME...]",
		Short: "Show which backups schedules would make and keep over a year",
		Long: `Show which backups schedules would make and keep over a year: how many are due, run, are
skipped because the one before goes on, and deleted; what is kept at the end of each day; and
the largest number of backups and snapshots at one time. Due times and deletions are decided
as the worker decides them. Every backup is taken to complete after --duration.

With -f or --preset nothing is asked of the cluster; else its schedules are simulated, all
or the named ones. The list of single runs is in the formats json and yaml.`,
		Example: `  lifeboat schedule simulate --preset gfs --from 2027-01-01 --to 2028-01-01
  lifeboat schedule simulate -f schedules.yaml --snapshots 40 --quota 10000
  lifeboat schedule simulate nightly -o json`,
		ValidArgsFunction: completeNames(io),
	}
	o.bindFlags(c)
	c.RunE = func(c *cobra.Command, names []string) error {
		all, err := o.schedules(c.Context(), io, names)
		if err != nil {
			return err
		}
		return o.simulate(io, all)
	}
	return c
}

// schedules reads them from files, a preset, or the cluster.
func (o *simulateOptions) schedules(ctx context.Context, io Console, names []string) ([]contract.Schedule, error) {
	offline := len(o.files) > 0 || o.preset != ""
	switch {
	case len(o.files) > 0 && o.preset != "":
		return nil, errors.New("--preset and -f exclude each other")
	case offline && len(names) > 0:
		return nil, errors.New("NAME is one of the cluster's schedules: leave it out, or leave out -f and --preset")
	case o.preset != "":
		return ofPreset(o.preset)
	case offline:
		read, err := input.Schedules(input.Source{Stdin: io.Stdin()}, o.files, "", manifest.Schedules)
		return read.Schedules, err
	}
	var all []contract.Schedule
	err := io.Connect(ctx, func(be Backend) error {
		stored, err := new(selection).pick(ctx, io.Kind(), be, names)
		for _, s := range stored {
			all = append(all, s.Schedule)
		}
		if err == nil && len(all) == 0 {
			err = fmt.Errorf("the cluster has no schedules: give some with -f FILE, or try --preset %s", preset.GFS)
		}
		return err
	})
	return all, err
}

func ofPreset(name string) (all []contract.Schedule, err error) {
	documents, err := preset.Schedules(name)
	for _, d := range documents {
		all = append(all, contract.Schedule{Name: d.Name, Labels: d.Labels, Annotations: d.Annotations, Spec: d.Spec})
	}
	return all, err
}

func (o *simulateOptions) simulate(io Console, all []contract.Schedule) error {
	if err := o.validate(); err != nil {
		return err
	}
	schedules, paused, err := simulated(all, o.estimate)
	if err != nil {
		return err
	}
	if len(paused) > 0 {
		io.Note("warning: left out, since they are paused: %s\n", strings.Join(paused, ", "))
	}
	plan := simulation.Plan{Schedules: schedules, Quota: o.quota, Policy: retention.Policy{Floor: o.keepLast}}
	if plan.From, plan.Until, err = o.span(io.Clock()); err != nil {
		return err
	}
	res, err := simulation.Simulate(plan)
	if err != nil {
		return err
	}
	if isDocument(o.format) {
		return show.Document(io.Stdout(), o.format, res)
	}
	return printSimulation(io, schedules, res)
}

func (o *simulateOptions) validate() error {
	switch {
	case o.keepLast < 0:
		return fmt.Errorf("--keep-last: %d: give 0 or more backups", o.keepLast)
	case o.quota < 0:
		return fmt.Errorf("--quota: %d: give how many snapshots the account may have, or leave it out", o.quota)
	}
	return nil
}

// span is the time to simulate.
func (o *simulateOptions) span(now time.Time) (from, to time.Time, err error) {
	from = now.UTC().Truncate(time.Second)
	if o.from != "" {
		if from, err = parseDay("--from", o.from); err != nil {
			return from, to, err
		}
	}
	if o.to == "" {
		return from, from.AddDate(1, 0, 0), nil
	}
	to, err = parseDay("--to", o.to)
	return from, to, err
}

// parseDay reads a time, or a date, which begins at midnight UTC.
func parseDay(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s: %q is neither a date such as 2027-01-31 nor a time such as 2027-01-31T00:00:00Z", flag, text)
}

func printSimulation(io Console, schedules []simulation.Schedule, res *simulation.Result) error {
	header, rows := scheduleTable(schedules, res)
	if err := show.Table(io.Stdout(), header, rows); err != nil {
		return err
	}
	io.Say("\n")
	header, rows = dayTable(res)
	if err := show.Table(io.Stdout(), header, rows); err != nil {
		return err
	}
	io.Say("\nAt most %s at one time, and %s.\n%s", show.Plural(int64(res.Most), "backup"), show.Plural(int64(res.PeakSnapshots), "snapshot"), quotaText(res))
	return nil
}

func quotaText(res *simulation.Result) string {
	switch {
	case res.ExceedsQuota():
		return fmt.Sprintf("That is %s above the quota of %s, first at %s: shorten a ttl, or ask AWS for more.\n",
			show.Plural(int64(res.PeakSnapshots-res.Quota), "snapshot"), show.Count(int64(res.Quota)), res.PeakAt.UTC().Format(time.RFC3339))
	case res.Quota > 0:
		return fmt.Sprintf("The quota of %s is kept.\n", show.Count(int64(res.Quota)))
	case res.PeakSnapshots == 0:
		return "Snapshots are counted with --snapshots, the number of volumes of a backup.\n"
	}
	return ""
}
