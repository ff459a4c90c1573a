package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/starter/internal/backups"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/costs"
	"github.com/lifeboat-backup/lifeboat/starter/internal/doctor"
	"github.com/lifeboat-backup/lifeboat/starter/internal/drill"
	"github.com/lifeboat-backup/lifeboat/starter/internal/garbage"
	"github.com/lifeboat-backup/lifeboat/starter/internal/iam"
	"github.com/lifeboat-backup/lifeboat/starter/internal/install"
	"github.com/lifeboat-backup/lifeboat/starter/internal/locations"
	"github.com/lifeboat-backup/lifeboat/starter/internal/migrate"
	"github.com/lifeboat-backup/lifeboat/starter/internal/restores"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
	"github.com/lifeboat-backup/lifeboat/starter/internal/snapshots"
)

// app is one invocation of the program.
type app struct{ *console.Console }

// run executes one command line and returns its exit code. Cancelling ctx is what
// Ctrl-C does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return newApp(stdin, stdout, stderr).run(ctx, args)
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{console.New(stdin, stdout, stderr)}
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && a.Stdout.Err != nil {
		err = fmt.Errorf("write output: %w", a.Stdout.Err)
	}
	if ctx.Err() != nil && !console.IsSettled(err) {
		err = console.Outcome{Code: console.CodeInterrupted}
	}
	if said := (console.Outcome{}); err != nil && !errors.As(err, &said) {
		a.Note("error: %s\n", show.CleanLines(err.Error()))
	}
	return console.CodeOf(err)
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

` + console.ExitCodesHelp,
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
	root.PersistentFlags().StringVar(&a.Cluster, "cluster", "", "cluster to talk about (default $"+command.ClusterVariable+", or the only one that is served)")
	command.BindRefusedFlags(root.PersistentFlags())
	root.SetFlagErrorFunc(command.ExplainFlagError)
	root.AddCommand(
		a.backupCommand(), a.restores().Command(), a.scheduleCommand(), a.locations().StorageCommand(), a.objectCommand(), a.locations().SnapshotCommand(),
		garbage.Command(a.Console), snapshots.Command(a.Console), drill.Command(a.Console), doctor.Command(a.Console), iam.Command(a.Console), a.versionCommand(),
		install.Command(a.Stdout), migrate.Command(a.Stdin, a.Stdout, a.Stderr),
	)
	root.AddCommand(a.verbCommands()...)
	root.AddCommand(command.RefusedAtRoot()...)
	completeFlags(root)
	return root
}

func (a *app) backups() backups.Commands     { return backups.Commands{Console: a.Console} }
func (a *app) restores() restores.Commands   { return restores.Commands{Console: a.Console} }
func (a *app) locations() locations.Commands { return locations.Commands{Console: a.Console} }

func (a *app) backupCommand() *cobra.Command {
	children := append(a.backups().All(), a.changes().DiffCommand(), costs.Command(a.Console, a.backups().CompleteNames))
	return command.Group("backup", "Take, list, inspect and delete backups", []string{"backups"}, children...)
}
