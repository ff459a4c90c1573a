package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition/validation"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// flags are those by which a drill is described on the command line, in place of a file or on top of
// it.
type flags struct {
	file             string
	name             string
	backup, schedule string
	random           bool
	include, exclude []string
	namespaces       []string // to be included, too
	allow            []string
	level            string
	rto, rpo, keep   time.Duration
	ready            time.Duration
	openNetwork      bool
	anySource        bool // without a source the newest good backup of all is meant
}

func (f *flags) bind(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVarP(&f.file, "filename", "f", "", "`file` with a document of kind Drill, - for standard input; flags win over it")
	fs.StringVar(&f.backup, "from-backup", "", "backup to restore")
	fs.StringVar(&f.schedule, "from-schedule", "", "schedule whose newest good backup is restored")
	fs.BoolVar(&f.random, "random", false, "restore a random good backup in place of the newest; one of which less is proven is likelier")
	fs.StringSliceVar(&f.include, "include-namespaces", nil, "namespaces to restore (default: all of the backup)")
	fs.StringSliceVarP(&f.namespaces, "namespace", "n", nil, "the same as --include-namespaces")
	fs.StringSliceVar(&f.exclude, "exclude-namespaces", nil, "namespaces to leave out")
	fs.StringSliceVar(&f.allow, "allow-kinds", nil, "types of custom resources that may be created, as plural.group; others are tried by a dry run")
	fs.StringVar(&f.level, "level", "", "least level that has to be proven, L0 to L5 (default L4, with assertions L5)")
	_ = c.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(definition.Level("").Values(), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	fs.DurationVar(&f.rto, "rto", 0, "how long it may take until it is proven; longer fails the drill")
	fs.DurationVar(&f.rpo, "rpo", 0, "how old the newest data, and how long the time between two good backups, may be")
	fs.DurationVar(&f.ready, "ready-timeout", 0, "how long workloads may take until they are ready (default 10m)")
	fs.DurationVar(&f.keep, "keep-for", 0, "keep the copy for so long afterwards, under a name that stays: restore-test-<namespace>")
	fs.BoolVar(&f.openNetwork, "allow-open-network", false, "take a network that does not enforce network policies; without, such a drill fails")
}

// document is the drill that file and flags describe.
func (f *flags) document(stdin io.Reader) (d definition.Drill, err error) {
	if f.file != "" {
		if d, err = f.read(stdin); err != nil {
			return d, err
		}
	}
	d.APIVersion, d.Kind = definition.APIVersion, definition.Kind
	s := &d.Spec
	if f.backup != "" || f.schedule != "" || f.random {
		s.Source = definition.Source{Backup: f.backup, Schedule: f.schedule}
	}
	if f.random {
		s.Source.Pick = definition.PickRandom
	}
	if f.anySource && s.Source == (definition.Source{}) {
		s.Source.Pick = definition.PickLatest
	}
	d.Metadata.Name = cmp.Or(f.name, d.Metadata.Name, s.Source.Schedule, s.Source.Backup)
	setList(&s.IncludedNamespaces, slices.Concat(f.include, f.namespaces))
	setList(&s.ExcludedNamespaces, f.exclude)
	setList(&s.AllowedKinds, f.allow)
	s.Targets.Level = cmp.Or(definition.Level(f.level), s.Targets.Level)
	setDuration(&s.Targets.RTO, f.rto)
	setDuration(&s.Targets.RPO, f.rpo)
	setDuration(&s.ReadyTimeout, f.ready)
	if f.keep != 0 && s.Keep == nil {
		s.Keep = &definition.Keep{}
	}
	if f.keep != 0 {
		s.Keep.For.Duration = f.keep
	}
	s.Network.AllowOpen = s.Network.AllowOpen || f.openNetwork
	if d.Metadata.Name == "" {
		return d, errors.New("name the drill: give NAME as the argument")
	}
	err = validation.Drill(&d)
	if err != nil && f.name == "" && f.file == "" && strings.Contains(err.Error(), "metadata.name") {
		err = fmt.Errorf("%w (the drill is called as what it restores; or name it: lifeboat drill run NAME)", err)
	}
	return d, err
}

func (f *flags) read(stdin io.Reader) (definition.Drill, error) {
	if f.file == "-" {
		return manifest.Drill(stdin)
	}
	file, err := os.Open(f.file)
	if err != nil {
		return definition.Drill{}, err
	}
	d, err := manifest.Drill(file)
	if err != nil {
		err = fmt.Errorf("%s: %w", f.file, err)
	}
	return d, errors.Join(err, file.Close())
}

func setList(field *[]string, given []string) {
	if len(given) > 0 {
		*field = given
	}
}

// setDuration lets a flag win over the file. A negative one is refused with the document.
func setDuration(field *metav1.Duration, given time.Duration) {
	if given != 0 {
		field.Duration = given
	}
}

func (cs commands) runCommand() *cobra.Command {
	f := &flags{}
	var out console.Output
	var wait bool
	c := &cobra.Command{
		Use:   "run [NAME]",
		Short: "Restore a backup beside its original, prove it, remove the copy",
		Long: `Run a restore drill. A backup is restored into namespaces of its own,
restore-test-<date>-<namespace>, which are closed to the outside; what could act outside of
them is changed or left out. What can be proven of the copy is proven, faults are planted
that the checks have to find, and the copy is removed, whatever has happened. Signed evidence
of it all is left in the bucket.

Levels: L0 every byte agrees with the manifest; L1 the API server takes every object; L2 every
object was created and is as the backup has it; L3 volumes were made and can be
read; L4 workloads are ready; L5 the assertions hold (they are in a document, see --filename).

Without NAME the drill is called as the schedule or the backup. The drills of a cluster never
overlap.

A copy that is kept (--keep-for) is a part of the drill: --wait and -o end when the copy is gone. The
evidence is written before, and 'lifeboat drill describe NAME' has the verdict meanwhile.

Exit codes:
  0  the drill passed (without --wait: it is running)
  1  bad usage, or something on the way failed
  2  an error ended the drill, or it was cancelled
  3  the drill failed: something speaks against it
  4  there is no such backup, or a snapshot of it is gone
  5  another drill is running
130  interrupted: Ctrl-C stops the waiting, never the drill`,
		Example: `  lifeboat drill run bookstore --from-schedule nightly --include-namespaces bookstore --wait
  lifeboat drill run bookstore -f drill.yaml --wait
  lifeboat drill run --from-backup nightly-20260102020000 --include-namespaces bookstore --wait
  lifeboat drill run any --random --level L2 --wait
  lifeboat drill run bookstore -f drill.yaml --keep-for 4h -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	f.bind(c)
	c.Flags().BoolVarP(&wait, "wait", "w", false, "wait until it has ended, showing progress; Ctrl-C stops only the waiting")
	out.BindFlag(c, "", show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			f.name = args[0]
		}
		d, err := f.document(cs.Stdin) // before anybody is asked: what is wrong in it is wrong without Temporal, too
		if err != nil {
			return err
		}
		d.Spec.Schedule = nil // it is run now, whatever its document says
		return cs.WithBackend(c.Context(), func(be console.Backend) error {
			return cs.run(c.Context(), be, contract.DrillInput{Name: d.Metadata.Name, Spec: d.Spec}, wait || out.Format != "", out)
		})
	}
	return c
}

// run starts a drill, and waits for its end or just long enough to hear that it was refused.
func (cs commands) run(ctx context.Context, be console.Backend, in contract.DrillInput, wait bool, out console.Output) error {
	run, err := be.StartDrill(ctx, in)
	if err != nil {
		return err
	}
	report := func(ctx context.Context, be console.Backend, run temporal.Run) error {
		return cs.await(ctx, be, run, out)
	}
	if wait {
		return report(ctx, be, run)
	}
	return cs.GlanceAt(ctx, be, run, report)
}

// await waits for a drill and tells how it ended.
func (cs commands) await(ctx context.Context, be console.Backend, run temporal.Run, out console.Output) error {
	var res contract.DrillResult
	err := cs.FollowRun(ctx, be, run, &res)
	if err != nil {
		err = cs.FailedRun(run, err)
	}
	if err == nil {
		return cs.tellResult(res, out)
	}
	if res.ID != "" {
		_ = cs.tellResult(res, out) // what ended it sets the exit code
	}
	return err
}

func (cs commands) waitCommand() *cobra.Command {
	var out console.Output
	c := &cobra.Command{
		Use:     "wait",
		Short:   "Wait for the drill that runs, or tell how the last one ended",
		Long:    "Wait for the drill that runs, with its progress, and tell how it ended; exit codes are those of 'drill run --wait'.",
		Example: "  lifeboat drill wait -o json",
		Args:    cobra.NoArgs,
	}
	out.BindFlag(c, "", show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = cs.Connected(func(ctx context.Context, be console.Backend, _ []string) error {
		state, err := be.Latest(ctx, temporal.KindDrill, "")
		if err != nil {
			return err
		}
		return cs.await(ctx, be, state.Run, out)
	})
	return c
}

// tellResult tells how a drill ended, and ends the command accordingly.
func (cs commands) tellResult(res contract.DrillResult, out console.Output) error {
	if out.IsDocument() {
		if err := show.Document(cs.Stdout, out.Format, res); err != nil {
			return err
		}
	} else {
		cs.Say("%s", resultText(res))
	}
	if !res.Passed() {
		return console.Outcome{Code: console.CodePartiallyFailed}
	}
	return nil
}

func resultText(res contract.DrillResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Drill %q %s: backup %s is proven at level %s.\n", res.Name, res.Verdict, res.Backup, res.Level)
	for _, f := range res.Failures {
		fmt.Fprintf(&b, "  %s\n", show.Clean(f))
	}
	if res.RTO > 0 {
		fmt.Fprintf(&b, "Proven after %s", roundClock(res.RTO))
		if res.Ready > 0 {
			fmt.Fprintf(&b, ", ready after %s", roundClock(res.Ready))
		}
		if res.ReadThrough > 0 {
			fmt.Fprintf(&b, ", all data read through once after %s", roundClock(res.ReadThrough))
		}
		b.WriteString(". ")
	}
	fmt.Fprintf(&b, "Data is up to %s old.\n", roundClock(res.RPO))
	if !res.Kept.IsZero() {
		fmt.Fprintf(&b, "The copy is kept until %s; end that with: lifeboat drill stop\n", show.Time(res.Kept))
	}
	for _, w := range res.Warnings {
		fmt.Fprintf(&b, "Warning: %s\n", show.Clean(w))
	}
	if res.Key != "" {
		fmt.Fprintf(&b, "Evidence: drill %d of the cluster, %s in location %s\n", res.Sequence, res.Key, res.Location)
	} else {
		b.WriteString("Evidence: nothing may be written to any storage location; it is in the workflow's result alone, see -o json\n")
	}
	return b.String()
}

func (cs commands) keepCommand() *cobra.Command {
	var d time.Duration
	c := &cobra.Command{
		Use:   "keep",
		Short: "Keep the copy of the drill that runs, for inspection",
		Long: `Keep the copy of the drill that runs for a while after its end, also if it fails, or keep one
that is kept already from now on. The next drill of the cluster waits so long.`,
		Example: "  lifeboat drill keep --for 2h",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if d <= 0 || d > definition.MostKept {
				return fmt.Errorf("--for is %s: use more than 0 and at most %s; 'lifeboat drill stop' ends the keeping", d, definition.MostKept)
			}
			return cs.WithBackend(c.Context(), func(be console.Backend) error {
				if err := be.KeepDrill(c.Context(), d); err != nil {
					return err
				}
				cs.Say("The copy will be kept for %s. End that with: lifeboat drill stop\n", show.Clock(d))
				return nil
			})
		},
	}
	c.Flags().DurationVar(&d, "for", time.Hour, "how long, at most 168h")
	return c
}

func (cs commands) stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stop",
		Short: "End the drill that runs, or the keeping of its copy",
		Long: `End the drill that runs: its copy is removed, and its evidence says that it was aborted. Of a
drill whose copy is kept only the copy is removed.`,
		Example: "  lifeboat drill stop",
		Args:    cobra.NoArgs,
		RunE: cs.Connected(func(ctx context.Context, be console.Backend, _ []string) error {
			if err := be.StopDrill(ctx); err != nil {
				return err
			}
			cs.Say("The drill was asked to stop; its copy is being removed.\n")
			return nil
		}),
	}
}

// roundClock shows a time as the evidence of the drill does everywhere.
func roundClock(d time.Duration) string { return show.Clock(d.Round(time.Second)) }
