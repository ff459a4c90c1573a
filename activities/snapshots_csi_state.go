package activities

import (
	"context"
	"fmt"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
)

func isReady(vs *snapshotv1.VolumeSnapshot) bool {
	return vs.Status != nil && vs.Status.ReadyToUse != nil && *vs.Status.ReadyToUse
}

// isTaken: the point in time is fixed, and the snapshot has its content.
func isTaken(vs *snapshotv1.VolumeSnapshot) bool {
	return vs.Status != nil && vs.Status.CreationTime != nil && vs.Status.BoundVolumeSnapshotContentName != nil
}

// problemOf is the driver's last error.
func problemOf(vs *snapshotv1.VolumeSnapshot) string {
	if vs.Status == nil || vs.Status.Error == nil || vs.Status.Error.Message == nil {
		return ""
	}
	return *vs.Status.Error.Message
}

func after(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// states looks at the VolumeSnapshots. One that has vanished took its snapshot with
// it, or soon will.
func (c *csiSnapshots) states(ctx context.Context, all []taken) (map[int]snapshotState, error) {
	live, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[int]snapshotState, len(all))
	for _, t := range all {
		vs, there := live[c.key(t.Volume)]
		out[t.Volume] = c.state(t, &vs, there)
	}
	return out, nil
}

// state: an error that lasts beyond csiSnapshotTimeout is final. Drivers report what
// EBS gave up as an error again and again.
func (c *csiSnapshots) state(t taken, vs *snapshotv1.VolumeSnapshot, there bool) snapshotState {
	why := problemOf(vs)
	switch {
	case !there || vs.DeletionTimestamp != nil:
		return snapshotState{Phase: snapshotFailed, Detail: c.deleted(t.Volume)}
	case isReady(vs):
		return snapshotState{Phase: snapshotCompleted, Percent: 100}
	case why != "" && time.Since(t.At) > c.plan.SnapshotTimeout:
		return snapshotState{Phase: snapshotFailed, Detail: "the driver has failed for longer than csiSnapshotTimeout" + after(why)}
	}
	return snapshotState{Phase: snapshotPending, Detail: why}
}

func (c *csiSnapshots) deleted(i int) string {
	return fmt.Sprintf("VolumeSnapshot %s was deleted before the backup was complete", c.key(i))
}
