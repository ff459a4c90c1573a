// Command bench measures Lifeboat against the bare API server and a real Velero on
// one stack, in one run: only ratios within a run mean anything. It prints a table
// and writes JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// size is one load: how many objects of how many bytes in how many namespaces.
type size struct {
	Objects, Bytes, Namespaces int
	Velero                     bool // also the peer
	Restore                    bool // also restores
	VeleroRestore              bool // also the peer's, which takes minutes for 10,000 objects
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	out := flags.String("json", "dist/bench.json", "results `file`")
	quick := flags.Bool("quick", false, "10,000 objects only")
	velero := flags.Bool("velero", true, "measure Velero too")
	profile := flags.String("profile", "", "`directory` for CPU profiles of the worker")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b := &bench{profile: *profile}
	if err := b.start(ctx, *velero); err != nil {
		return errors.Join(err, b.stop())
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	for _, s := range sizes(*quick, *velero) {
		if err := b.measure(ctx, s); err != nil {
			return fmt.Errorf("%d objects: %w", s.Objects, err)
		}
		if err := b.save(*out); err != nil { // after each size: a run takes half an hour
			return err
		}
	}
	b.table(os.Stdout)
	return nil
}

func sizes(quick, velero bool) []size {
	all := []size{
		{10_000, 600, 10, velero, true, velero},
		{50_000, 1500, 50, velero, true, false},
		{100_000, 1500, 100, false, false, false}, // for memory only
	}
	if quick {
		return all[:1]
	}
	return all
}

// bench is one run: the stack, the programs under test and what was measured.
type bench struct {
	stack   *stack.Stack
	dir     string
	bin     harness.Binaries
	h       *harness.Harness
	velero  *stack.Velero
	profile string
	rows    []row
}

func (b *bench) start(ctx context.Context, velero bool) error {
	var err error
	if b.dir, err = os.MkdirTemp("", "lifeboat-bench-"); err != nil {
		return err
	}
	if b.bin, err = harness.Build(ctx, b.dir); err != nil {
		return err
	}
	if velero {
		if err := stack.Build(ctx, os.Stderr, "velero", "velero-plugin-for-aws"); err != nil {
			return err
		}
	}
	if b.stack, err = stack.Start(ctx, stack.Options{Stdout: os.Stderr, DieWithParent: true}); err != nil {
		return err
	}
	b.h, err = harness.New(ctx, b.stack, b.bin, b.dir, harness.Options{Cluster: "bench", Edit: func(c *config.Config) {
		if b.profile != "" {
			c.Profiler.Listen = profiler
		}
	}})
	return err
}

func (b *bench) stop() error {
	var err error
	if b.stack != nil {
		err = b.stack.Stop(context.Background())
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

func (b *bench) save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(map[string]any{"machine": machine(), "results": b.rows}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
