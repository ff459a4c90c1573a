package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// Lab is what the tests of a package share: a stack, the built programs, and the
// Lifeboat of one cluster with its worker.
type Lab struct {
	*Harness
	Worker *Worker
	ID     string // tells this run's names from those of an earlier one on the same stack

	env []string // of workers
}

// LabOptions say what the tests of a package need.
type LabOptions struct {
	Name  string // the cluster's name begins with it
	Stack stack.Options
	// Prepare, if there is one, says how the Lifeboat differs from the plain one and
	// which variables ("K=V") its workers get besides.
	Prepare func(*stack.Stack) (o Options, env []string, err error)
}

// Main is the body of a TestMain: it makes the lab, hands it to ready, runs the tests,
// and ends what it started.
func Main(m *testing.M, o LabOptions, ready func(*Lab) error) int {
	dir, err := os.MkdirTemp("", "lifeboat-"+o.Name+"-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	var l *Lab
	code := stack.Main(m, o.Stack, func(s *stack.Stack) {
		if l, err = newLab(s, dir, o); err == nil {
			err = ready(l)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "start the worker:", err)
			os.Exit(1)
		}
	})
	if l != nil {
		l.Worker.Kill()
		l.Close()
	}
	return code
}

func newLab(s *stack.Stack, dir string, o LabOptions) (*Lab, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	bin, err := Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	l := &Lab{ID: fmt.Sprintf("%05x", rand.IntN(1<<20))}
	var more Options
	if o.Prepare != nil {
		if more, l.env, err = o.Prepare(s); err != nil {
			return nil, err
		}
	}
	more.Cluster = o.Name + "-" + l.ID
	if l.Harness, err = New(ctx, s, bin, dir, more); err != nil {
		return nil, err
	}
	return l, l.startWorker(ctx)
}

func (l *Lab) startWorker(ctx context.Context) (err error) {
	l.Worker, err = l.StartWorker(ctx, l.env...)
	return err
}

// ReplaceWorker starts another worker in the place of one that was killed.
func (l *Lab) ReplaceWorker(t testing.TB) {
	t.Helper()
	if err := l.startWorker(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Beside is a Lifeboat of a test's own on the same stack, with a worker that the test
// may kill.
func (l *Lab) Beside(t testing.TB, o Options) *Lab {
	t.Helper()
	return l.withWorker(t, l.Idle(t, o))
}

// Named is Beside under the very name that o has, with a bucket that prepare, if there is one,
// fills before the worker starts.
func (l *Lab) Named(t testing.TB, o Options, prepare func(*Harness)) *Lab {
	t.Helper()
	h, err := New(t.Context(), l.Stack, l.bin, t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	if prepare != nil {
		prepare(h)
	}
	return l.withWorker(t, h)
}

// On is Beside on another stack, with further variables ("K=V") for its workers.
func (l *Lab) On(t testing.TB, s *stack.Stack, o Options, env ...string) *Lab {
	t.Helper()
	o.Cluster += "-" + l.ID
	h, err := New(t.Context(), s, l.bin, t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return l.withWorker(t, h, env...)
}

func (l *Lab) withWorker(t testing.TB, h *Harness, env ...string) *Lab {
	t.Helper()
	own := &Lab{Harness: h, ID: l.ID, env: slices.Concat(l.env, env)}
	own.ReplaceWorker(t)
	t.Cleanup(func() { own.Worker.Kill() }) // whichever is the last
	return own
}

// Idle is a Lifeboat without a worker.
func (l *Lab) Idle(t testing.TB, o Options) *Harness {
	t.Helper()
	o.Cluster += "-" + l.ID
	h, err := New(t.Context(), l.Stack, l.bin, t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}
