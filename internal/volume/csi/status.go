package csi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/snapshotcontent"
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

// errorTimeOf is when the driver's last error on a snapshot that is taken was noted, or else
// when the snapshot was taken.
func errorTimeOf(vs *snapshotv1.VolumeSnapshot) time.Time {
	if e := vs.Status.Error; e != nil && e.Time != nil {
		return e.Time.Time
	}
	return vs.Status.CreationTime.Time
}

// Status looks at the VolumeSnapshots. One that has vanished took its snapshot with
// it, or soon will. EC2 is asked for the state of those that are not ready, because the EBS
// driver never tells that EBS has given a snapshot up, and its snapshotter asks ever less
// often, in the end every 30 minutes.
func (c *Snapshots) Status(ctx context.Context, all []volume.Snapshot) (map[int]volume.Status, error) {
	live, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[int]volume.Status, len(all))
	pending := map[string]int{} // of EBS, by content
	for _, t := range all {
		vs, there := live[c.key(t.Volume)]
		st := c.statusOf(t, &vs, there)
		if out[t.Volume] = st; st.Phase == volume.StatusPending && volume.IsEBSDriver(c.Backup.Volumes[t.Volume].Driver) {
			pending[ContentOf(&vs)] = t.Volume
		}
	}
	if c.Locations != nil && len(c.Locations.Config().VolumeSnapshotLocations) > 0 && len(pending) > 0 {
		c.askEC2(ctx, pending, out)
	}
	return out, ctx.Err()
}

// statusOf judges one snapshot by its object. An error on one that is taken says nothing of
// how it will end: the snapshotter tries again, and does not remove what it once noted
// before the snapshot is ready.
func (c *Snapshots) statusOf(t volume.Snapshot, vs *snapshotv1.VolumeSnapshot, there bool) volume.Status {
	switch {
	case !there || vs.DeletionTimestamp != nil:
		return volume.Status{Phase: volume.StatusFailed, Detail: c.deletedText(t.Volume)}
	case isReady(vs):
		return volume.Status{Phase: volume.StatusCompleted, Percent: 100}
	}
	return volume.Status{Phase: volume.StatusPending, Detail: errorMessageOf(vs)}
}

func (c *Snapshots) deletedText(i int) string {
	return fmt.Sprintf("VolumeSnapshot %s was deleted before the backup was complete", c.key(i))
}

// askEC2 corrects the status of pending snapshots, by their contents, to what EC2 says. Where
// it cannot be asked, the driver's word stands.
func (c *Snapshots) askEC2(ctx context.Context, pending map[string]int, out map[int]volume.Status) {
	handles := map[string]int{}
	err := kube.List(ctx, c.Kube, kube.VolumeSnapshotContents(), "", "", func(content snapshotv1.VolumeSnapshotContent) error {
		if i, ours := pending[content.Name]; ours && volume.IsEBSSnapshotID(snapshotcontent.HandleOf(content)) {
			handles[snapshotcontent.HandleOf(content)] = i
		}
		return nil
	})
	if err != nil {
		return
	}
	if len(handles) == 0 {
		return
	}
	// What was not heard says nothing, and the caller looks whether ctx has ended.
	_, _ = c.Locations.AskEach(ctx, func(ctx context.Context, _ string, loc *ebs.Location) (bool, error) {
		found, err := loc.OwnSnapshots(ctx, slices.Collect(maps.Keys(handles)))
		for id, s := range found {
			out[handles[id]] = statusInEC2(s)
			delete(handles, id)
		}
		return len(handles) == 0, err
	})
}

func statusInEC2(s ebs.Snapshot) volume.Status {
	switch s.State {
	case ebs.SnapshotCompleted:
		return volume.Status{Phase: volume.StatusCompleted, Percent: 100}
	case ebs.SnapshotFailed:
		return volume.Status{Phase: volume.StatusFailed, Detail: ebs.FailureOf(s)}
	}
	return volume.Status{Phase: volume.StatusPending, Percent: s.Progress}
}
