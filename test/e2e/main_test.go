//go:build stack

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// lab is what the tests of this package share.
type lab struct {
	*harness.Harness
	bin    harness.Binaries
	dir    string
	id     string // tells this run's names from those of an earlier one on the same stack
	worker *harness.Worker
}

// shared is set by TestMain, before any test.
var shared *lab

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lifeboat-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	o := stack.Options{Kwok: true, KwokVolumes: true, TemporalOnDisk: true}
	code := stack.Main(m, o, func(s *stack.Stack) {
		if shared, err = newLab(s, dir); err != nil {
			fmt.Fprintln(os.Stderr, "start the worker:", err)
			os.Exit(1)
		}
	})
	if shared != nil {
		shared.worker.Kill()
		shared.Close()
	}
	return code
}

func newLab(s *stack.Stack, dir string) (*lab, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	bin, err := harness.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	l := &lab{bin: bin, dir: dir, id: fmt.Sprintf("%05x", rand.IntN(1<<20))}
	if l.Harness, err = harness.New(ctx, s, bin, dir, harness.Options{Cluster: "e2e-" + l.id}); err != nil {
		return nil, err
	}
	l.worker, err = l.StartWorker(ctx)
	return l, err
}

// cluster starts a Lifeboat of its own for one test.
func (l *lab) cluster(t *testing.T, o harness.Options) (*harness.Harness, *harness.Worker) {
	t.Helper()
	h := l.config(t, o)
	w, err := h.StartWorker(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Kill)
	return h, w
}

// config is a Lifeboat without a worker.
func (l *lab) config(t *testing.T, o harness.Options) *harness.Harness {
	t.Helper()
	o.Cluster += "-" + l.id
	dir := filepath.Join(t.TempDir(), "lifeboat")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h, err := harness.New(t.Context(), l.Stack, l.bin, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}
