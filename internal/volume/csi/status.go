package csi

import (
	"context"
	"fmt"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

func isReady(vs *snapshotv1.VolumeSnapshot) bool {
	return vs.Status != nil && vs.Status.ReadyToUse != nil && *vs.Status.ReadyToUse
}

// isTaken says that the point in time is fixed and the snapshot has its content.
func isTaken(vs *snapshotv1.VolumeSnapshot) bool {
	return vs.Status != nil && vs.Status.CreationTime != nil && vs.Status.BoundVolumeSnapshotContentName != nil
}

// errorMessageOf is the driver's last error.
func errorMessageOf(vs *snapshotv1.VolumeSnapshot) string {
	if vs.Status == nil || vs.Status.Error == nil || vs.Status.Error.Message == nil {
		return ""
	}
	return *vs.Status.Error.Message
}

// Status looks at the VolumeSnapshots. One that has vanished took its snapshot with
// it, or soon will.
func (c *Snapshots) Status(ctx context.Context, all []volume.Snapshot) (map[int]volume.Status, error) {
	live, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[int]volume.Status, len(all))
	for _, t := range all {
		vs, there := live[c.key(t.Volume)]
		out[t.Volume] = c.statusOf(t, &vs, there)
	}
	return out, nil
}

// statusOf judges one snapshot: an error that lasts beyond csiSnapshotTimeout is final.
// Drivers report what
// EBS gave up as an error again and again.
func (c *Snapshots) statusOf(t volume.Snapshot, vs *snapshotv1.VolumeSnapshot, there bool) volume.Status {
	why := errorMessageOf(vs)
	switch {
	case !there || vs.DeletionTimestamp != nil:
		return volume.Status{Phase: volume.StatusFailed, Detail: c.deletedText(t.Volume)}
	case isReady(vs):
		return volume.Status{Phase: volume.StatusCompleted, Percent: 100}
	case why != "" && time.Since(t.At) > c.Backup.SnapshotTimeout:
		return volume.Status{Phase: volume.StatusFailed, Detail: "the driver has failed for longer than csiSnapshotTimeout" + volume.After(why)}
	}
	return volume.Status{Phase: volume.StatusPending, Detail: why}
}

func (c *Snapshots) deletedText(i int) string {
	return fmt.Sprintf("VolumeSnapshot %s was deleted before the backup was complete", c.key(i))
}
