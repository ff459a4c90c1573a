package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/install"
	"github.com/lifeboat-backup/lifeboat/starter/internal/migrate"
)

// backend is what commands ask of package temporal.
type backend interface {
	Cluster() string
	Address() string
	Close()
	StartBackup(ctx context.Context, in contract.BackupInput) (temporal.Run, error)
	StartRestore(ctx context.Context, in contract.RestoreInput) (temporal.Run, error)
	StartDelete(ctx context.Context, in contract.DeleteBackupInput) (temporal.Run, error)
	StartGarbage(ctx context.Context, in contract.CollectGarbageInput) (temporal.Run, error)
	StartRetention(ctx context.Context, in contract.SetRetentionInput) (temporal.Run, error)
	StartScheduleChange(ctx context.Context, in contract.ChangeSchedulesInput) (temporal.Run, error)
	TriggerSchedule(ctx context.Context, name, overlap string) error
	StartRehearsal(ctx context.Context, in contract.RehearseInput) (temporal.Run, error)
	StartVerification(ctx context.Context, in contract.VerifyBackupsInput) (temporal.Run, error)
	Latest(ctx context.Context, kind temporal.Kind, name string) (temporal.State, error)
	Runs(ctx context.Context, kind temporal.Kind) ([]temporal.State, error)
	Sample(ctx context.Context, run temporal.Run) (temporal.Sample, error)
	Follow(ctx context.Context, run temporal.Run, result any, interval time.Duration, watch func(temporal.Sample)) error
	Cancel(ctx context.Context, run temporal.Run) error
	Clusters(ctx context.Context) ([]string, error)
	Pollers(ctx context.Context) ([]temporal.Poller, error)
	Read(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error)
	Backups(ctx context.Context, selector, location string) (temporal.Listing[contract.BackupSummary], error)
	Restores(ctx context.Context, selector, location string) (temporal.Listing[contract.RestoreSummary], error)
}

// app is one invocation: where it reads and writes, what time it is, how it
// reaches Lifeboat.
type app struct {
	stdin    io.Reader
	stdout   *sticky
	stderr   io.Writer
	now      func() time.Time
	width    func() int // columns of the terminal behind stderr, 0 for none
	cluster  string
	connect  func(ctx context.Context, cluster string) (backend, error)
	patience time.Duration // how long a start without --wait looks for an early end
	silence  time.Duration // how long nobody is told what is waited for
}

// defaultPatience is enough for a run to refuse its input, whose worker is up.
const defaultPatience = 2 * time.Second

// run executes one command line and returns its exit code. Cancelling ctx is what
// Ctrl-C does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return newApp(stdin, stdout, stderr).run(ctx, args)
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{
		stdin: stdin, stdout: &sticky{w: stdout}, stderr: stderr,
		now:      time.Now,
		width:    func() int { return columns(stderr) },
		patience: defaultPatience,
		silence:  silence,
		connect: func(ctx context.Context, cluster string) (backend, error) {
			return connectTemporal(ctx, cluster)
		},
	}
}

// columns is the width of the terminal behind w, 0 when w is none.
func columns(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && a.stdout.err != nil {
		err = fmt.Errorf("write output: %w", a.stdout.err)
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = outcome{codeInterrupted}
	}
	if said := (outcome{}); err != nil && !errors.As(err, &said) {
		a.note("error: %v\n", err)
	}
	return codeOf(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "lifeboat",
		Short: "Back up and restore Kubernetes clusters",
		Long: `Lifeboat backs up the objects and volumes of Kubernetes clusters and restores them, as
Temporal workflows that survive whatever happens to the machines they run on.

Verbs and flags are Velero's. The connection comes from Temporal's environment
variables (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_*)
or profile file.

` + exitCodesHelp,
		Example: `  lifeboat backup create nightly --include-namespaces bookstore --wait
  lifeboat backup get
  lifeboat restore create --from-backup nightly --dry-run
  lifeboat restore create --from-backup nightly --wait`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       thisVersion().Version,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return command.Unknown(c, args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.Flags().Bool("version", false, "show the version of this program; 'lifeboat version' shows the worker's too")
	root.PersistentFlags().StringVar(&a.cluster, "cluster", "", "cluster to talk about (default $"+command.ClusterVariable+", or the only one that is served)")
	command.BindRefusedFlags(root.PersistentFlags())
	root.SetFlagErrorFunc(command.ExplainFlagError)
	root.AddCommand(a.backupCommand(), a.restoreCommand(), a.scheduleCommand(), a.locationCommand(), a.objectCommand(), a.snapshotLocationCommand(), a.garbageCommand(), a.snapshotsCommand(), a.drillCommand(), a.versionCommand(), install.Command(a.stdout), migrate.Command(a.stdin, a.stdout, a.stderr))
	root.AddCommand(a.verbCommands()...)
	root.AddCommand(command.RefusedAtRoot()...)
	return root
}

// withBackend connects, runs do and closes the connection. The backend says what it waits for.
func (a *app) withBackend(ctx context.Context, do func(backend) error) error {
	return a.withSilentBackend(ctx, func(be backend) error { return do(telling{be, a}) })
}

// withSilentBackend is withBackend for commands that tell of their progress by themselves.
func (a *app) withSilentBackend(ctx context.Context, do func(backend) error) error {
	connected := a.sayWaiting("Temporal")
	be, err := a.connect(ctx, a.cluster)
	connected()
	if err != nil {
		return err
	}
	defer be.Close()
	return do(be)
}

// throughAnyWorker is withBackend for what any worker can do that has the bucket: where the
// cluster has no worker, because it is gone, that of another one is asked. of is then the
// cluster that is meant, and "" otherwise.
func (a *app) throughAnyWorker(ctx context.Context, do func(be backend, of string) error) error {
	return a.withBackend(ctx, func(be backend) error {
		pollers, err := be.Pollers(ctx)
		if err != nil {
			return err
		}
		if len(pollers) > 0 {
			return do(be, "")
		}
		served, err := be.Clusters(ctx)
		if err != nil {
			return err
		}
		for _, name := range served {
			other, err := a.connect(ctx, name)
			if err != nil {
				return err
			}
			defer other.Close()
			if pollers, err := other.Pollers(ctx); err == nil && len(pollers) > 0 && name != be.Cluster() {
				a.note("cluster %s has no worker: the worker of cluster %s is asked\n", be.Cluster(), name)
				return do(telling{other, a}, be.Cluster())
			}
		}
		return do(be, "")
	})
}

// connected is the RunE of a command that needs nothing but a connection.
func (a *app) connected(do func(ctx context.Context, be backend, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		return a.withBackend(c.Context(), func(be backend) error { return do(c.Context(), be, args) })
	}
}
