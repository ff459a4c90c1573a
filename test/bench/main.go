// Command bench measures Lifeboat against the bare API server and a real Velero on
// one stack, in one run: only ratios within a run mean anything. It prints a table
// and writes JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// size is one load: how many objects of how many bytes in how many namespaces.
type size struct {
	Objects, Bytes, Namespaces int
	Velero                     bool // also the peer
	Restores                   int  // how many of Lifeboat's, each after a bare CREATE of the same; the medians are reported
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

// The parts of a run. Each has a stack of its own.
const (
	partObjects   = "objects"
	partVolumes   = "volumes"
	partRehearsal = "rehearsal"
	partLists     = "lists"
)

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	b := &bench{options: o}
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{{partObjects, b.objects}, {partLists, b.lists}, {partRehearsal, b.rehearse}, {partVolumes, b.ofVolumes}} {
		if o.only == "" || o.only == part.name {
			if err := part.do(ctx); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
	}
	b.table(os.Stdout)
	b.listed.table(os.Stdout)
	b.rehearsal.table(os.Stdout)
	b.volumeTable(os.Stdout)
	if missed := verdicts(os.Stdout, promises(b.rows, b.volumes, b.rehearsal, b.listed)); missed > 0 {
		return fmt.Errorf("%d promises were not kept; they are marked %s above", missed, verdictMissed)
	}
	return nil
}

// objects measures backups and restores of objects.
func (b *bench) objects(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx, stack.Options{}, nil); err != nil {
		return err
	}
	for _, s := range sizes(b.options) {
		if err := b.measure(ctx, s); err != nil {
			return fmt.Errorf("%d objects: %w", s.Objects, err)
		}
		if err := b.save(); err != nil { // after each size: a run takes half an hour
			return err
		}
	}
	return nil
}

func sizes(o options) []size {
	all := []size{
		{10_000, 600, 10, o.velero, 3, o.velero}, // some seconds each, in which a busy neighbour weighs
		{memorySize, 1500, 50, o.velero, 1, o.veleroRestore},
		{2 * memorySize, 1500, 100, false, 0, false}, // for memory only
	}
	if o.quick {
		return all[:1]
	}
	return all
}

// bench is one run: the stack, the programs under test and what was measured.
type bench struct {
	options
	stack     *stack.Stack
	dir       string
	bin       harness.Binaries
	h         *harness.Harness
	peer      *stack.Velero
	rows      []row
	volumes   []volumeRow
	rehearsal rehearsalRow
	listed    listRow
}

// start starts a stack and configures Lifeboat for it; locations are those of its
// volumes.
func (b *bench) start(ctx context.Context, o stack.Options, locations func() []velerov1.VolumeSnapshotLocation) error {
	var err error
	if b.dir, err = os.MkdirTemp("", "lifeboat-bench-"); err != nil {
		return err
	}
	if b.bin, err = harness.Build(ctx, b.dir); err != nil {
		return err
	}
	if b.options.velero {
		if err := stack.Build(ctx, os.Stderr, "velero", "velero-plugin-for-aws"); err != nil {
			return err
		}
	}
	o.Stdout, o.DieWithParent = os.Stderr, true
	if b.stack, err = stack.Start(ctx, o); err != nil {
		return err
	}
	planes, err := harness.Rehearsals()
	if err != nil {
		return err
	}
	h, err := harness.New(ctx, b.stack, b.bin, b.dir, harness.Options{Cluster: "bench", Edit: func(c *config.Config) {
		c.Rehearsal = planes
		if locations != nil {
			c.VolumeSnapshotLocations = locations()
		}
		if b.profile != "" {
			c.Profiler.Listen = profiler
		}
	}})
	if err != nil {
		return err
	}
	b.h = h
	return nil
}

func (b *bench) stop() error {
	var err error
	if b.h != nil {
		b.h.Close()
	}
	if b.stack != nil {
		err = b.stack.Stop(context.Background())
	}
	b.h, b.stack = nil, nil
	return errors.Join(err, os.RemoveAll(b.dir))
}

func (b *bench) save() error {
	if err := os.MkdirAll(filepath.Dir(b.out), 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(map[string]any{"machine": machine(), "results": b.rows, "volumes": b.volumes, "rehearsal": b.rehearsal, "lists": b.listed, "promises": promises(b.rows, b.volumes, b.rehearsal, b.listed)}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.out, append(data, '\n'), 0o644)
}
