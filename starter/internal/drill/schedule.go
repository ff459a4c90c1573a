package drill

import (
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/starter/internal/schedules"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// quarterly is the first Tuesday of each quarter, when people are at work who can look at it.
const quarterly = "0 9 1-7 1,4,7,10 TUE"

// scheduleFlags are those by which a schedule of drills is described: those of a drill, and when.
type scheduleFlags struct {
	flags
	quarterly bool
	paused    bool
	// pausedGiven is whether --paused was given: --paused=false starts what the file pauses.
	pausedGiven bool
	when        definition.Schedule
}

func (f *scheduleFlags) bind(c *cobra.Command) {
	f.flags.bind(c)
	fs := c.Flags()
	fs.BoolVar(&f.quarterly, "quarterly", false, "on the first Tuesday of each quarter at 09:00: the same as --schedule \""+quarterly+"\"")
	fs.StringVar(&f.when.Cron, "schedule", "", "when it is due: a cron string such as \"0 9 1 * *\", @monthly, or @every 720h")
	fs.StringVar(&f.when.TimeZone, "time-zone", "", "time zone of the cron string, such as Europe/Berlin (default UTC)")
	fs.DurationVar(&f.when.CatchUpWindow.Duration, "catch-up-window", 0, "how late it may begin, after an outage or behind another drill (default 12h)")
	fs.DurationVar(&f.when.Jitter.Duration, "jitter", 0, "begin each drill up to so much later, at random (default 0s)")
	fs.BoolVar(&f.paused, "paused", false, "make it, but start no drills yet")
}

// schedule is the schedule that flags and file describe. Without a source the newest good backup is
// drilled, and without a name it is called as its only namespace.
func (f *scheduleFlags) schedule(stdin io.Reader) (contract.Schedule, error) {
	if f.quarterly && f.when.Cron != "" {
		return contract.Schedule{}, errors.New("--quarterly and --schedule exclude each other")
	}
	if f.quarterly {
		f.when.Cron = quarterly
	}
	if all := slices.Concat(f.include, f.namespaces); f.name == "" && f.file == "" && len(all) == 1 {
		f.name = all[0]
	}
	f.anySource = true
	d, err := f.document(stdin)
	if err != nil {
		return contract.Schedule{}, err
	}
	if d.Spec.Schedule == nil {
		d.Spec.Schedule = &definition.Schedule{}
	}
	f.addTo(d.Spec.Schedule)
	if d.Spec.Schedule.Cron == "" {
		return contract.Schedule{}, errors.New("say when it is due: --quarterly, or --schedule such as \"0 9 1 * *\" or @monthly")
	}
	return contract.DrillSchedule(d), nil
}

// addTo lets flags win over the file.
func (f *scheduleFlags) addTo(s *definition.Schedule) {
	if f.when.Cron != "" {
		s.Cron = f.when.Cron
	}
	if f.when.TimeZone != "" {
		s.TimeZone = f.when.TimeZone
	}
	setDuration(&s.CatchUpWindow, f.when.CatchUpWindow.Duration)
	setDuration(&s.Jitter, f.when.Jitter.Duration)
	if f.pausedGiven {
		s.Paused = f.paused
	}
}

// scheduleCommand is `drill schedule`, which makes one by itself.
func (cs commands) scheduleCommand() *cobra.Command {
	on := schedules.On(cs.Console, schedules.Drills())
	c := cs.makeSchedule(on, "schedule [NAME]")
	c.Aliases = []string{"schedules"}
	create := cs.makeSchedule(on, "create [NAME]")
	create.Short = "Make a schedule of drills"
	c.AddCommand(create)
	c.AddCommand(schedules.Common(on)...)
	return c
}

func (cs commands) makeSchedule(on schedules.Console, use string) *cobra.Command {
	f, format := &scheduleFlags{}, ""
	c := &cobra.Command{
		Use:   use,
		Short: "Run a drill by itself, and make, apply, show and delete such schedules",
		Long: `Make a schedule of drills. It starts none at once: the first comes at the first due time,
which is shown. All flags of 'drill run' describe its drills; a file of kind Drill may have
the schedule, too. Without NAME it is called as the only namespace, the schedule of backups
or the backup.

Drills of a cluster never overlap: one that is due waits for the one that goes on as long as
its catch-up window allows. What became of each due time is recorded, and stands in the
evidence of the next drill: 'drill verify' names those that were missed, skipped or paused.

The worker checks everything before the schedule is made.`,
		Example: `  lifeboat drill schedule --quarterly --namespace bookstore --from-schedule nightly
  lifeboat drill schedule bookstore --schedule "0 9 1 * *" --time-zone Europe/Berlin -f drill.yaml
  lifeboat drill schedule any --schedule "0 9 * * MON" --random --level L2 -o yaml
  lifeboat drill schedule apply -f drills/ --source shop --prune
  lifeboat drill schedule get`,
		Args: cobra.MaximumNArgs(1),
	}
	f.bind(c)
	schedules.BindOutput(c, &format, "", show.FormatJSON, show.FormatYAML)
	c.Flags().Lookup("output").Usage = "print the manifest as json or yaml and make nothing"
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			f.name = args[0]
		}
		f.pausedGiven = c.Flags().Changed("paused")
		s, err := f.schedule(cs.Stdin)
		if err != nil {
			return err
		}
		return schedules.Make(c.Context(), on, format, []contract.Schedule{s})
	}
	return c
}
