package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// backupRuns of one load: the median is reported.
const backupRuns = 3

// row is what was measured for one size. Times are seconds, memory bytes.
type row struct {
	Size              size
	BareCreate        float64
	BareCreateAgain   float64 `json:",omitempty"` // of the same names after a deletion, as a restore's creates are
	BareCreatesAgain  []float64
	BareList          float64
	LifeboatBackup    float64
	LifeboatBackups   []float64
	LifeboatRestore   float64 `json:",omitempty"`
	LifeboatRestores  []float64
	VeleroBackup      float64 `json:",omitempty"`
	VeleroRestore     float64 `json:",omitempty"`
	WorkerRSSBackup   int64
	WorkerRSSRestore  int64 `json:",omitempty"`
	TarballBytes      int64
	BackupActivities  int
	OneSecretSeconds  float64 `json:",omitempty"`
	OneSecretBytes    int64   `json:",omitempty"`
	OneSecretBytesAll float64 `json:",omitempty"` // as a share of the tarball
}

// measure loads one size and runs everything on it.
func (b *bench) measure(ctx context.Context, s size) error {
	r := row{Size: s}
	steps := []struct {
		name string
		do   func(context.Context, *row) error
	}{
		{"bare CREATE", b.bareCreate},
		{"bare LIST", b.bareList},
		{"lifeboat backup", b.lifeboatBackup},
		{"one Secret", b.oneSecret},
		{"velero backup", b.veleroBackup},
		{"restores", b.restores},
		{"velero restore", b.veleroRestore},
	}
	for _, step := range steps {
		start := time.Now()
		if err := step.do(ctx, &r); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Printf("%8d objects  %-18s %7.1f s\n", s.Objects, step.name, time.Since(start).Seconds())
	}
	b.rows = append(b.rows, r)
	return nil
}

func (b *bench) bareCreate(ctx context.Context, r *row) error {
	d, err := b.load(ctx, r.Size)
	r.BareCreate = d.Seconds()
	return err
}

func (b *bench) bareList(ctx context.Context, r *row) error {
	d, err := b.list(ctx, r.Size)
	r.BareList = d.Seconds()
	return err
}

func glob(s size) string { return fmt.Sprintf("bench-%d-*", s.Objects) }

// lifeboatBackup times the CLI from start to the printed result, by a worker of its
// own for each size, so that its peak memory is that size's.
func (b *bench) lifeboatBackup(ctx context.Context, r *row) error {
	w, err := b.h.StartWorker(ctx)
	if err != nil {
		return err
	}
	defer w.Kill()
	for i := range backupRuns {
		name := fmt.Sprintf("b-%d-%d", r.Size.Objects, i)
		err := b.profiled(ctx, name, func() error {
			start := time.Now()
			_, err := b.h.Run(ctx, "backup", "create", name, "--include-namespaces", glob(r.Size), "--wait")
			r.LifeboatBackups = append(r.LifeboatBackups, time.Since(start).Seconds())
			return err
		})
		if err != nil {
			return err
		}
	}
	r.LifeboatBackup = median(r.LifeboatBackups)
	var res contract.BackupResult
	if err := b.h.Temporal.GetWorkflow(ctx, contract.BackupID("bench", fmt.Sprintf("b-%d-0", r.Size.Objects)), "").Get(ctx, &res); err != nil {
		return err
	}
	if want := int64(r.Size.Objects); res.Objects < want {
		return fmt.Errorf("the backup has %d objects, want %d at least", res.Objects, want)
	}
	r.TarballBytes, r.BackupActivities = res.Bytes, res.Activities
	r.WorkerRSSBackup, err = w.PeakRSS()
	return err
}

// restores makes room and measures the bare CREATE and the restore in turn, so that
// what else the machine does meets both.
func (b *bench) restores(ctx context.Context, r *row) error {
	if r.Size.Restores == 0 {
		return nil
	}
	if err := b.unload(ctx, r.Size); err != nil {
		return err
	}
	for i := range r.Size.Restores {
		if err := b.bareCreateAgain(ctx, r); err != nil {
			return fmt.Errorf("bare CREATE again: %w", err)
		}
		if err := b.lifeboatRestore(ctx, r, fmt.Sprintf("r-%d-%d", r.Size.Objects, i)); err != nil {
			return fmt.Errorf("lifeboat restore: %w", err)
		}
		fmt.Printf("%8d objects  %-18s %7.1f s after a bare CREATE of %.1f s\n", r.Size.Objects, "lifeboat restore", r.LifeboatRestores[i], r.BareCreatesAgain[i])
	}
	r.BareCreateAgain, r.LifeboatRestore = median(r.BareCreatesAgain), median(r.LifeboatRestores)
	return nil
}

// bareCreateAgain is the limit under a restore's conditions: the same names are
// created after a deletion, which keeps API server and etcd busy for a while.
func (b *bench) bareCreateAgain(ctx context.Context, r *row) error {
	d, err := b.load(ctx, r.Size)
	if err != nil {
		return err
	}
	r.BareCreatesAgain = append(r.BareCreatesAgain, d.Seconds())
	return b.unload(ctx, r.Size)
}

func (b *bench) lifeboatRestore(ctx context.Context, r *row, name string) error {
	w, err := b.h.StartWorker(ctx)
	if err != nil {
		return err
	}
	defer w.Kill()
	err = b.profiled(ctx, name, func() error {
		start := time.Now()
		_, err := b.h.Run(ctx, "restore", "create", name, "--from-backup", fmt.Sprintf("b-%d-0", r.Size.Objects), "--wait")
		r.LifeboatRestores = append(r.LifeboatRestores, time.Since(start).Seconds())
		return err
	})
	if err != nil {
		return err
	}
	if _, err := b.list(ctx, r.Size); err != nil { // everything is there
		return err
	}
	rss, err := w.PeakRSS()
	if err != nil {
		return err
	}
	r.WorkerRSSRestore = max(r.WorkerRSSRestore, rss)
	return b.unload(ctx, r.Size)
}

func median(all []float64) float64 {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

// oneSecret restores a single Secret by a worker whose S3 traffic is counted.
func (b *bench) oneSecret(ctx context.Context, r *row) error {
	count, err := newCounter(strings.TrimPrefix(b.stack.S3.Endpoint, "http://"))
	if err != nil {
		return err
	}
	defer count.Close()
	one, err := os.MkdirTemp(b.dir, "one-")
	if err != nil {
		return err
	}
	h, err := harness.New(ctx, b.stack, b.bin, one, harness.Options{Cluster: "one", Prefix: "bench", S3: count.Addr()})
	if err != nil {
		return err
	}
	defer h.Close()
	w, err := h.StartWorker(ctx)
	if err != nil {
		return err
	}
	defer w.Kill()
	ns := namespace(r.Size, r.Size.Objects/4)
	secret := fmt.Sprintf("object-%06d", r.Size.Objects/2+1)
	if _, err := h.Kubectl(ctx, "", "-n", ns, "delete", "secret", secret); err != nil {
		return err
	}
	before, start := count.Read(), time.Now()
	_, err = h.Run(ctx, "restore", "create", fmt.Sprintf("one-%d", r.Size.Objects), "--from-backup", fmt.Sprintf("b-%d-0", r.Size.Objects),
		"--include-resources", "secrets", "--include-name", ns+"/"+secret, "--wait")
	r.OneSecretSeconds = time.Since(start).Seconds()
	r.OneSecretBytes = count.Read() - before
	r.OneSecretBytesAll = float64(r.OneSecretBytes) / float64(r.TarballBytes)
	if err != nil {
		return err
	}
	_, err = h.Kubectl(ctx, "", "-n", ns, "get", "secret", secret)
	return err
}

// veleroQPS is what makes Velero fastest here; its default is 100.
const veleroQPS = 5000

func (b *bench) veleroBackup(ctx context.Context, r *row) error {
	if !r.Size.Velero {
		return nil
	}
	v, err := b.stack.StartVelero(ctx, stack.VeleroOptions{QPS: veleroQPS, Prefix: "velero"})
	if err != nil {
		return err
	}
	defer v.Stop(ctx)
	b.peer = v
	name := fmt.Sprintf("v-%d", r.Size.Objects)
	if _, err := v.Run(ctx, "backup", "create", name, "--include-namespaces", glob(r.Size), "--snapshot-volumes=false"); err != nil {
		return err
	}
	r.VeleroBackup, err = b.veleroTime(ctx, "backups", name)
	return err
}

func (b *bench) veleroRestore(ctx context.Context, r *row) error {
	if !r.Size.VeleroRestore {
		return nil
	}
	v, err := b.stack.StartVelero(ctx, stack.VeleroOptions{QPS: veleroQPS, Prefix: "velero"})
	if err != nil {
		return err
	}
	defer v.Stop(ctx)
	b.peer = v
	name := fmt.Sprintf("v-%d", r.Size.Objects)
	if _, err := v.Run(ctx, "restore", "create", name, "--from-backup", name); err != nil {
		return err
	}
	if r.VeleroRestore, err = b.veleroTime(ctx, "restores", name); err != nil {
		return err
	}
	return b.unload(ctx, r.Size)
}

// veleroTime is how long Velero works, from InProgress to the end: its queue, which
// is polled, does not count against it.
func (b *bench) veleroTime(ctx context.Context, resource, name string) (float64, error) {
	var start time.Time
	for {
		body, err := b.peer.Get(ctx, resource, name)
		if err != nil {
			return 0, err
		}
		var doc struct{ Status struct{ Phase string } }
		if err := json.Unmarshal(body, &doc); err != nil {
			return 0, err
		}
		switch doc.Status.Phase {
		case "", "New", "Queued", "ReadyToStart":
		case "Completed":
			return time.Since(start).Seconds(), nil
		case "Failed", "PartiallyFailed", "FailedValidation":
			return 0, fmt.Errorf("velero %s %s is %s", resource, name, doc.Status.Phase)
		default:
			if start.IsZero() {
				start = time.Now()
			}
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
