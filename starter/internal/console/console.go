// Package console is one invocation of the program: what its commands read from, write to and
// connect with, how they wait for runs, and the exit codes they end with.
//
//   - console.go, connect.go: the connection to Temporal and to a cluster's worker.
//   - say.go, patience.go, layout.go: results, remarks, what is waited for, tables.
//   - wait.go, exit.go: runs that are followed, and what their end is for a shell.
//   - flags.go, complete.go: flags and words that commands have in common.
package console

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// Backend is what commands ask of package temporal.
type Backend interface {
	Cluster() string
	Address() string
	Close()
	StartBackup(ctx context.Context, in contract.BackupInput) (temporal.Run, error)
	StartRestore(ctx context.Context, in contract.RestoreInput) (temporal.Run, error)
	StartDelete(ctx context.Context, in contract.DeleteBackupInput) (temporal.Run, error)
	StartGarbage(ctx context.Context, in contract.CollectGarbageInput) (temporal.Run, error)
	StartRetention(ctx context.Context, in contract.SetRetentionInput) (temporal.Run, error)
	StartScheduleChange(ctx context.Context, in contract.ChangeSchedulesInput) (temporal.Run, error)
	TriggerSchedule(ctx context.Context, drills bool, name, overlap string) error
	StartRehearsal(ctx context.Context, in contract.RehearseInput) (temporal.Run, error)
	StartDrill(ctx context.Context, in contract.DrillInput) (temporal.Run, error)
	KeepDrill(ctx context.Context, d time.Duration) error
	StopDrill(ctx context.Context) error
	StartVerification(ctx context.Context, in contract.VerifyBackupsInput) (temporal.Run, error)
	Latest(ctx context.Context, kind temporal.Kind, name string) (temporal.State, error)
	Runs(ctx context.Context, kind temporal.Kind) ([]temporal.State, error)
	Sample(ctx context.Context, run temporal.Run) (temporal.Sample, error)
	Follow(ctx context.Context, run temporal.Run, result any, interval time.Duration, watch func(temporal.Sample)) error
	Cancel(ctx context.Context, run temporal.Run) error
	Clusters(ctx context.Context) ([]string, error)
	Pollers(ctx context.Context) ([]temporal.Poller, error)
	RequireAnswer(ctx context.Context) error
	Read(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error)
	Backups(ctx context.Context, selector, location string) (temporal.Listing[contract.BackupSummary], error)
	Restores(ctx context.Context, selector, location string) (temporal.Listing[contract.RestoreSummary], error)
}

// Console is one invocation: where it reads and writes, what time it is, how it
// reaches Lifeboat.
type Console struct {
	Stdin    io.Reader
	Stdout   *Sticky
	Stderr   io.Writer
	Now      func() time.Time
	Width    func() int // columns of the terminal behind stderr, 0 for none
	Cluster  string
	Dial     func(ctx context.Context, cluster string) (Backend, error)
	Patience time.Duration // how long a start without --wait looks for an early end
	Silence  time.Duration // how long nobody is told what is waited for
}

// New is the console of one invocation.
func New(stdin io.Reader, stdout, stderr io.Writer) *Console {
	return &Console{
		Stdin: stdin, Stdout: &Sticky{w: stdout}, Stderr: stderr,
		Now:      time.Now,
		Width:    func() int { return columns(stderr) },
		Patience: defaultPatience,
		Silence:  silence,
		Dial: func(ctx context.Context, cluster string) (Backend, error) {
			return connectTemporal(ctx, cluster)
		},
	}
}

// WithBackend connects, runs do and closes the connection. The backend says what it waits for.
func (con *Console) WithBackend(ctx context.Context, do func(Backend) error) error {
	return con.WithSilentBackend(ctx, func(be Backend) error { return do(telling{be, con}) })
}

// WithSilentBackend is WithBackend for commands that tell of their progress by themselves.
func (con *Console) WithSilentBackend(ctx context.Context, do func(Backend) error) error {
	connected := con.sayWaiting("Temporal")
	be, err := con.Dial(ctx, con.Cluster)
	connected()
	if err != nil {
		return err
	}
	defer be.Close()
	return do(be)
}

// ThroughAnyWorker is WithBackend for what any worker can do that has the bucket: where the
// cluster has no worker that answers, because it is gone, that of another one is asked. of is then
// the cluster that is meant, and "" otherwise.
func (con *Console) ThroughAnyWorker(ctx context.Context, do func(be Backend, of string) error) error {
	return con.WithBackend(ctx, func(be Backend) error {
		silent := be.RequireAnswer(ctx)
		if silent == nil {
			return do(be, "")
		}
		if !errors.Is(silent, temporal.ErrNoWorker) && !errors.Is(silent, temporal.ErrLost) {
			return silent
		}
		served, err := be.Clusters(ctx)
		if err != nil {
			return err
		}
		for _, name := range served {
			if name == be.Cluster() {
				continue
			}
			other, err := con.Dial(ctx, name)
			if err != nil {
				return err
			}
			defer other.Close()
			if (telling{other, con}).RequireAnswer(ctx) == nil {
				con.Note("cluster %s has no worker that answers: the worker of cluster %s is asked\n", be.Cluster(), name)
				return do(telling{other, con}, be.Cluster())
			}
		}
		if errors.Is(silent, temporal.ErrLost) {
			return silent
		}
		return do(be, "") // a worker that starts just now is waited for
	})
}

// HasWorker tells whether a cluster has a worker.
func (con *Console) HasWorker(ctx context.Context, cluster string) (bool, error) {
	be, err := con.Dial(ctx, cluster)
	if err != nil {
		return false, err
	}
	defer be.Close()
	pollers, err := be.Pollers(ctx)
	return len(pollers) > 0, err
}

// Connected is the RunE of a command that needs nothing but a connection.
func (con *Console) Connected(do func(ctx context.Context, be Backend, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		return con.WithBackend(c.Context(), func(be Backend) error { return do(c.Context(), be, args) })
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

// defaultPatience is enough for a run to refuse its input, whose worker is up.
const defaultPatience = 2 * time.Second
