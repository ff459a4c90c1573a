package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// location is the snapshot location that makes a backup take the native path.
const location = "aws"

// The paths that volumes take.
const (
	native = "native"
	csi    = "CSI"
	// atOnce are CSI volumes in an account that completes snapshots at once and
	// throttles nobody: what remains is the time of the tool.
	atOnce = "CSI, at once"
)

// volumeRow is what was measured for one backup of volumes. Times are seconds,
// memory bytes.
type volumeRow struct {
	Volumes int
	Path    string
	// Least is the least time in which the account's published limits allow the
	// snapshots.
	Least float64 `json:",omitempty"`
	// Snapshots is from the first request for one until the last is complete.
	Snapshots float64
	Workflow  float64 // from the workflow's start to its end
	Command   float64 // of the CLI with --wait
	Velero    float64 `json:",omitempty"` // the same volumes, from InProgress to the end
	Calls     int     // of EC2's API, the driver's among them
	// Refused are the calls that EC2 answered with an error, by its code.
	Refused   map[string]int
	WorkerRSS int64
}

func (r *volumeRow) refusals() int {
	n := 0
	for _, of := range r.Refused {
		n += of
	}
	return n
}

// ofVolumes measures backups of volumes, each of a claim with data: with the peer
// where EC2 takes no time, then the same claims by both paths under the limits that
// AWS publishes.
func (b *bench) ofVolumes(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx, stack.Options{EBS: true, EBSFast: true, Kwok: true}, b.snapshotLocations); err != nil {
		return err
	}
	if err := b.loadAll(ctx); err != nil {
		return err
	}
	if b.csiVolumes > 0 {
		if err := b.measureVolumes(ctx, volumeRow{Volumes: b.csiVolumes, Path: atOnce}); err != nil {
			return err
		}
	}
	if _, err := b.stack.EBS.SetLimits(ctx, func(l *ebssim.Limits) { *l = ebssim.Published() }); err != nil {
		return err
	}
	for _, path := range []string{native, csi} {
		for _, n := range b.counts {
			r := volumeRow{Volumes: n, Path: path, Least: ebssim.Published().Least(n, volumeGiB).Seconds()}
			if err := b.measureVolumes(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadAll makes the volumes of all rows, before limits are set: how fast they can be
// made is not what is measured here.
func (b *bench) loadAll(ctx context.Context) error {
	counts := slices.Clone(b.counts)
	if b.csiVolumes > 0 {
		counts = append(counts, b.csiVolumes)
	}
	slices.Sort(counts)
	for _, n := range slices.Compact(counts) {
		if err := b.loadVolumes(ctx, n); err != nil {
			return fmt.Errorf("make %d volumes: %w", n, err)
		}
	}
	return nil
}

func (b *bench) snapshotLocations() []velerov1.VolumeSnapshotLocation {
	return []velerov1.VolumeSnapshotLocation{{
		TypeMeta:   metav1.TypeMeta{APIVersion: "velero.io/v1", Kind: "VolumeSnapshotLocation"},
		ObjectMeta: metav1.ObjectMeta{Name: location},
		Spec: velerov1.VolumeSnapshotLocationSpec{Provider: "aws", Config: map[string]string{
			"region": b.stack.EBS.Region, "credentialsFile": b.stack.EBS.WorkerFile,
		}},
	}}
}

// measureVolumes fills a row in, with Velero's time where EC2 takes none.
func (b *bench) measureVolumes(ctx context.Context, r volumeRow) error {
	if err := b.rest(ctx); err != nil {
		return err
	}
	if err := b.volumeBackup(ctx, &r); err != nil {
		return fmt.Errorf("%d volumes, %s: %w", r.Volumes, r.Path, err)
	}
	fmt.Fprintf(os.Stdout, "%8d volumes  %-18s %7.1f s\n", r.Volumes, r.Path, r.Command)
	if r.Path == atOnce {
		if err := b.veleroVolumes(ctx, &r); err != nil {
			return fmt.Errorf("velero, %d volumes: %w", r.Volumes, err)
		}
		fmt.Fprintf(os.Stdout, "%8d volumes  %-18s %7.1f s\n", r.Volumes, "the same, Velero", r.Velero)
	}
	b.volumes = append(b.volumes, r)
	return b.save()
}

// rest waits until a backup finds the account as if nobody had used it for long:
// request buckets full, and every volume free to be snapshotted again.
func (b *bench) rest(ctx context.Context) error {
	limits := ebssim.Published()
	wait := limits.SnapshotInterval.D()
	for _, bucket := range limits.Buckets {
		wait = max(wait, time.Duration(bucket.Size/bucket.Refill*float64(time.Second)))
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}
