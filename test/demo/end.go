package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// end leaves the machine as it was, or, asked to keep it, says how to look around.
// An interrupted story keeps nothing.
func (t *story) end(ctx context.Context, err error) error {
	if t.boat == nil {
		return nil
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, errDiffers) {
		t.showLog()
	}
	interrupted := ctx.Err() != nil
	if t.o.Keep && !interrupted {
		t.explain()
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Minute)
	defer cancel()
	stopped := t.s.during("clean up", func() error { return errors.Join(t.tidy(ctx), t.boat.stop(ctx)) })
	if !interrupted && stopped == nil {
		t.s.say("\nTemporal UI: %s (stopped now; with DEMO_KEEP=1 everything keeps running)", t.boat.services.Temporal.UI)
	}
	return stopped
}

func (l *lifeboat) stop(ctx context.Context) error {
	if l.Harness != nil {
		l.Close()
	}
	return l.services.Stop(ctx)
}

// tidy removes the bookstore from a cluster that is not the demo's own.
func (t *story) tidy(ctx context.Context) error {
	if t.o.Kubeconfig == "" || t.shop == nil {
		return nil
	}
	err := t.shop.remove(ctx, func(args ...string) error {
		_, err := t.boat.Kubectl(ctx, "", append(args, "--ignore-not-found")...)
		return err
	})
	if err != nil {
		t.s.say("the bookstore could not be removed; do it by hand:")
		t.s.raw(t.removal()...)
	}
	return err
}

// removal is the commands that remove the bookstore.
func (t *story) removal() []string {
	var lines []string
	_ = t.shop.remove(context.Background(), func(args ...string) error {
		lines = append(lines, "kubectl "+strings.Join(args, " "))
		return nil
	})
	return lines
}

// showLog shows what the worker said last: a story that breaks off has its reason there.
func (t *story) showLog() {
	log, err := os.ReadFile(filepath.Join(t.boat.services.Dir, "logs", "lifeboat-worker.log"))
	if err != nil {
		return // it was never started
	}
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	t.s.say("the worker's last words:")
	for _, line := range lines[max(0, len(lines)-10):] {
		t.s.raw(string(line))
	}
}

// explain says how to look around in what keeps running, and how to stop it.
func (t *story) explain() {
	services := t.boat.services
	t.s.headline("Everything keeps running. To look around:")
	t.s.raw(
		fmt.Sprintf("export PATH=%s:%s:\"$PATH\"", t.boat.bin, services.BinDir()),
		"export KUBECONFIG="+t.kubeconfig(),
		fmt.Sprintf("export TEMPORAL_ADDRESS=%s TEMPORAL_NAMESPACE=%s LIFEBOAT_CLUSTER=%s", services.Temporal.Address, services.Temporal.Namespace, clusterName),
	)
	if t.shop != nil {
		t.s.raw("lifeboat backup describe "+t.shop.Shop()+" --details", "kubectl -n "+t.shop.Shop()+" get all")
	}
	t.s.raw("Temporal UI: " + services.Temporal.UI)
	t.s.headline("To stop it and remove its data:")
	if t.o.Kubeconfig != "" && t.shop != nil {
		t.s.raw(t.removal()...)
	}
	t.s.raw("go run ./test/stack/cmd/stack down --dir " + services.Dir)
}

func (t *story) kubeconfig() string {
	if t.o.Kubeconfig == "" {
		return t.boat.services.Kubeconfig
	}
	path, err := filepath.Abs(t.o.Kubeconfig)
	if err != nil {
		return t.o.Kubeconfig
	}
	return path
}
