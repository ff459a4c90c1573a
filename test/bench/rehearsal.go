package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// rehearsalRow is what a rehearsal of rehearsedSize objects has cost.
type rehearsalRow struct {
	Objects    int64
	Seconds    float64 // the CLI's wall time
	CPUSeconds float64 // of the control plane
	Bytes      float64 // that the control plane held at most
	WorkerRSS  int64
}

// rehearse measures a rehearsal of a backup of rehearsedSize objects, half ConfigMaps and half Secrets.
func (b *bench) rehearse(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx, stack.Options{}, nil); err != nil {
		return err
	}
	s := size{Objects: rehearsedSize, Bytes: 600, Namespaces: 10}
	if _, err := b.load(ctx, s); err != nil {
		return err
	}
	w, err := b.h.StartWorker(ctx)
	if err != nil {
		return err
	}
	defer w.Kill()
	if _, err := b.h.Run(ctx, "backup", "create", "rehearsed", "--include-namespaces", glob(s), "--wait"); err != nil {
		return err
	}
	start := time.Now()
	out, err := b.h.Run(ctx, "backup", "rehearse", "rehearsed", "-o", "json")
	if err != nil {
		return err
	}
	took := time.Since(start)
	var res contract.RehearsalResult
	if err := json.Unmarshal([]byte(out), &res); err != nil {
		return err
	}
	if res.Level != contract.LevelEqual || res.Counts.Objects < rehearsedSize {
		return fmt.Errorf("level %s was reached with %d objects, want %s with %d", res.Level, res.Counts.Objects, contract.LevelEqual, rehearsedSize)
	}
	rss, err := w.PeakRSS()
	b.rehearsal = rehearsalRow{Objects: res.Counts.Objects, Seconds: took.Seconds(), CPUSeconds: res.Usage.CPUSeconds, Bytes: float64(res.Usage.MemoryMiB) * (1 << 20), WorkerRSS: rss}
	if err != nil {
		return err
	}
	return b.save()
}

func (r rehearsalRow) table(out io.Writer) {
	if r.Objects > 0 {
		fmt.Fprintf(out, "rehearsal of %d objects: %.1f s, %.1f CPU s and %.0f MB beside the worker, worker peak RSS %s\n\n", r.Objects, r.Seconds, r.CPUSeconds, r.Bytes/1e6, mib(r.WorkerRSS))
	}
}
