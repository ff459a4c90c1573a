//go:build stack

package interop

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// shared is the stack of the package's tests.
var shared *stack.Stack

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for one another's Velero far more than they work.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := stack.Main(m, stack.Options{Kwok: true, KwokVolumes: true}, func(s *stack.Stack) { shared = s })
	if code != 0 {
		fmt.Fprintln(os.Stderr, "log of the worker:", scratch)
	} else if err := os.RemoveAll(scratch); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// scratch holds the binaries, configuration and log of the peers.
var scratch string

// peers are a Lifeboat worker and a Velero server that share a bucket and a prefix.
type peers struct {
	*harness.Harness
	velero *stack.Velero
	server stack.VeleroOptions
	bin    harness.Binaries
	run    string // part of every name, so that a stack can serve several runs
}

var setUp = sync.OnceValues(func() (*peers, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	id := make([]byte, 2)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	run := hex.EncodeToString(id)
	var err error
	if scratch, err = os.MkdirTemp("", "interop-"); err != nil {
		return nil, err
	}
	bin, err := harness.Build(ctx, scratch)
	if err != nil {
		return nil, err
	}
	h, err := harness.New(ctx, shared, bin, scratch, harness.Options{Cluster: "interop-" + run})
	if err != nil {
		return nil, err
	}
	p := &peers{Harness: h, run: run, bin: bin, server: stack.VeleroOptions{
		QPS: 5000, Prefix: h.Cluster, Namespace: "velero-" + run,
		Args: []string{"--item-operation-sync-frequency=1s", "--resource-timeout=1m"},
	}}
	if _, err := h.StartWorker(ctx); err != nil {
		return nil, err
	}
	// Velero looks for new types every five minutes only: they have to be there first.
	if err := p.define(ctx, "small", "theirs", "whole", "spec", "legacy"); err != nil {
		return nil, err
	}
	if err := p.defineFirst(ctx, keptYAML, "gadgets.kept.example.com"); err != nil {
		return nil, err
	}
	p.velero, err = shared.StartVelero(ctx, p.server)
	return p, err
})

// start gives the package's peers; they end with the test process.
func start(t *testing.T) (*peers, context.Context) {
	t.Helper()
	p, err := setUp()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	return p, ctx
}

// name makes a name of this run.
func (p *peers) name(s string) string { return s + "-" + p.run }

// resync restarts Velero, which reads the bucket as soon as it runs. Only a test
// that is alone may call it.
func (p *peers) resync(t *testing.T, ctx context.Context) {
	t.Helper()
	v, err := shared.StartVelero(ctx, p.server)
	if err != nil {
		t.Fatal(err)
	}
	p.velero = v
}

// lifeboat runs the CLI and expects it to succeed.
func (p *peers) lifeboat(t *testing.T, ctx context.Context, args ...string) string {
	t.Helper()
	out, err := p.Run(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// kubectl runs kubectl and expects it to succeed.
func (p *peers) kubectl(t *testing.T, ctx context.Context, stdin string, args ...string) string {
	t.Helper()
	out, err := p.Kubectl(ctx, stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// veleroRun runs Velero's CLI and expects it to succeed.
func (p *peers) veleroRun(t *testing.T, ctx context.Context, args ...string) string {
	t.Helper()
	out, err := p.velero.Run(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// await waits for a condition and fails with its last word.
func await(t *testing.T, ctx context.Context, what string, done func() (bool, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		ok, last := done()
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("wait for %s: %v: %s", what, ctx.Err(), last)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// known waits until Velero's sync has found a backup in the bucket.
func (p *peers) known(t *testing.T, ctx context.Context, backup string) {
	t.Helper()
	await(t, ctx, "velero to find "+backup, func() (bool, string) {
		_, err := p.velero.Get(ctx, "backups", backup)
		return err == nil, fmt.Sprint(err)
	})
}

// clean fails the test if Velero's describe could not read one of the files.
func clean(t *testing.T, what, out string) {
	t.Helper()
	for _, line := range strings.Split(out, "\n") {
		if strings.Contains(line, "<error") || strings.Contains(line, "rror getting") || strings.HasPrefix(line, "An error") {
			t.Errorf("%s: %s", what, line)
		}
	}
}
