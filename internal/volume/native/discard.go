package native

import (
	"context"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Status asks EC2 for the snapshots by their ids.
func (n *Snapshots) Status(ctx context.Context, all []volume.Snapshot) (map[int]volume.Status, error) {
	ids := make([]string, 0, len(all))
	for _, t := range all {
		ids = append(ids, t.ID)
	}
	found, err := n.Location.Snapshots(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("describe snapshots: %w", err)
	}
	out := make(map[int]volume.Status, len(all))
	for _, t := range all {
		s, ok := found[t.ID]
		if !ok {
			out[t.Volume] = invisibleStatus(t)
			continue
		}
		out[t.Volume] = nativeState(s)
	}
	return out, nil
}

func nativeState(s ebs.Snapshot) volume.Status {
	st := volume.Status{Phase: volume.StatusPending, Percent: s.Progress, Detail: s.StateMessage}
	switch s.State {
	case ebs.SnapshotCompleted:
		st.Phase, st.Percent = volume.StatusCompleted, 100
	case ebs.SnapshotFailed:
		st.Phase, st.Detail = volume.StatusFailed, ebs.FailureOf(s)
	}
	return st
}

// invisibleStatus is a snapshot that EC2 does not show: not yet, or no longer.
func invisibleStatus(t volume.Snapshot) volume.Status {
	if time.Since(t.At) < quota.VisibleWithin {
		return volume.Status{Phase: volume.StatusPending, Detail: "EC2 does not show it yet"}
	}
	return volume.Status{Phase: volume.StatusFailed, Detail: fmt.Sprintf("snapshot %s does not exist any more", t.ID)}
}

// Discard deletes by the backup's tag. One that EC2 keeps (a lock, the recycle bin)
// stays: nothing refers to it. It looks again where there may be some that EC2 did not
// show the first time, also after a refusal to delete another: that one costs only itself.
func (n *Snapshots) Discard(ctx context.Context, all []volume.Snapshot, keep map[int]bool) error {
	var ids []string
	for _, t := range all {
		if keep[t.Volume] && t.ID != "" {
			ids = append(ids, t.ID)
		}
	}
	if err := n.prune(ctx, ids); (err != nil && !ebs.IsFinal(err)) || !n.mayBeHidden(all, keep) {
		return err
	}
	if err := poll.Wait(ctx, quota.LookAgainFor); err != nil {
		return err
	}
	return n.prune(ctx, ids)
}

func (n *Snapshots) prune(ctx context.Context, keep []string) error {
	if _, err := n.Location.Prune(ctx, n.Backup.UID, keep); err != nil {
		return fmt.Errorf("delete snapshots of backup %s that are not kept: %w", n.Backup.Name, err)
	}
	return nil
}

// mayBeHidden says whether a snapshot that is not to be kept may have been made a moment
// ago: one of which there is no record, since its attempt may just have been lost, or
// whose record is young.
func (n *Snapshots) mayBeHidden(all []volume.Snapshot, keep map[int]bool) bool {
	recorded := map[int]bool{}
	for _, t := range all {
		recorded[t.Volume] = keep[t.Volume] || time.Since(t.At) >= quota.LookAgainFor
	}
	for i := range n.Backup.Volumes {
		if n.Backup.Volumes[i].Method == volume.MethodNative && !recorded[i] {
			return true
		}
	}
	return false
}

// snapshotsByVolume are the snapshots that EC2 shows of some volumes of the backup, by volume.
func (n *Snapshots) snapshotsByVolume(ctx context.Context, volumes []int) (map[int][]ebs.Snapshot, error) {
	all, err := n.Location.Find(ctx, map[string]string{ebs.TagBackupUID: n.Backup.UID})
	if err != nil {
		return nil, fmt.Errorf("look for snapshots of an earlier attempt: %w", err)
	}
	out := map[int][]ebs.Snapshot{}
	for _, i := range volumes {
		v := &n.Backup.Volumes[i]
		for _, s := range all {
			if pv := s.Tags[ebs.TagPV]; s.VolumeID == v.VolumeID && (pv == "" || pv == v.PV) {
				out[i] = append(out[i], s)
			}
		}
	}
	return out, nil
}

// Find looks again, with growing pauses, for those that EC2 may not show yet: the attempt before
// this one may have been lost a moment after it had them made.
func (n *Snapshots) Find(ctx context.Context, volumes []int) ([]volume.Snapshot, error) {
	lastLook := time.Now().Add(quota.LookAgainFor)
	for pause := quota.LookAgainFor / 16; ; pause *= 2 {
		found, err := n.snapshotsByVolume(ctx, volumes)
		if err != nil || len(found) == len(volumes) || time.Now().After(lastLook) {
			return usable(found), err
		}
		if err := poll.Wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// usable prefers a snapshot that has not failed: a volume may have several, of attempts that
// were carried out at the same time.
func usable(found map[int][]ebs.Snapshot) (out []volume.Snapshot) {
	for i, all := range found {
		for _, s := range all {
			if s.State != ebs.SnapshotFailed {
				out = append(out, volume.Snapshot{Volume: i, At: s.Started, ID: s.ID})
				break
			}
		}
	}
	return out
}

// Forget deletes the snapshots that EC2 shows of the volumes, by their ids.
func (n *Snapshots) Forget(ctx context.Context, volumes []int, confirm func(context.Context) error) error {
	found, err := n.snapshotsByVolume(ctx, volumes)
	if err != nil {
		return err
	}
	if err := confirm(ctx); err != nil {
		return err
	}
	for _, all := range found {
		for _, s := range all {
			if _, err := n.Location.DeleteSnapshot(ctx, s.ID, map[string]string{ebs.TagBackupUID: n.Backup.UID}); err != nil {
				return fmt.Errorf("delete a snapshot of an earlier attempt: %w", err)
			}
		}
	}
	return nil
}

// Retain has nothing to do: EBS snapshots outlive the cluster's objects by themselves.
func (n *Snapshots) Retain(context.Context, []volume.Snapshot) (volume.Retention, error) {
	return volume.Retention{}, nil
}

// Release has nothing to do: nothing in the cluster stands for an EBS snapshot.
func (n *Snapshots) Release(context.Context, []volume.Snapshot) error { return nil }

// IsPermanent implements volume.Snapshotter.
func (n *Snapshots) IsPermanent(err error) bool { return ebs.IsPermanent(err) }
