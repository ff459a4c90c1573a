package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
)

func (n *nativeSnapshots) states(ctx context.Context, all []taken) (map[int]snapshotState, error) {
	ids := make([]string, 0, len(all))
	for _, t := range all {
		ids = append(ids, t.ID)
	}
	found, err := n.l.Snapshots(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("describe snapshots: %w", err)
	}
	out := make(map[int]snapshotState, len(all))
	for _, t := range all {
		s, ok := found[t.ID]
		if !ok {
			out[t.Volume] = unseen(t)
			continue
		}
		out[t.Volume] = nativeState(s)
	}
	return out, nil
}

func nativeState(s ebs.Snapshot) snapshotState {
	st := snapshotState{Phase: snapshotPending, Percent: s.Progress, Detail: s.StateMessage}
	switch s.State {
	case ebs.SnapshotCompleted:
		st.Phase, st.Percent = snapshotCompleted, 100
	case ebs.SnapshotFailed:
		st.Phase, st.Detail = snapshotFailed, ebs.FailureOf(s)
	}
	return st
}

// unseen is a snapshot that EC2 does not show: not yet, or no longer.
func unseen(t taken) snapshotState {
	if time.Since(t.At) < visibleAfter {
		return snapshotState{Phase: snapshotPending, Detail: "EC2 does not show it yet"}
	}
	return snapshotState{Phase: snapshotFailed, Detail: fmt.Sprintf("snapshot %s does not exist any more", t.ID)}
}

// discard deletes by the backup's tag. One that EC2 keeps (a lock, the recycle bin)
// stays: nothing refers to it.
func (n *nativeSnapshots) discard(ctx context.Context, all []taken, keep map[int]bool) error {
	var ids []string
	for _, t := range all {
		if keep[t.Volume] && t.ID != "" {
			ids = append(ids, t.ID)
		}
	}
	if _, err := n.l.Prune(ctx, n.plan.UID, ids); err != nil {
		return fmt.Errorf("delete snapshots of backup %s that are not kept: %w", n.plan.Name, err)
	}
	return nil
}

// of are the snapshots that EC2 shows of some volumes of the backup, by volume.
func (n *nativeSnapshots) of(ctx context.Context, volumes []int) (map[int][]ebs.Snapshot, error) {
	all, err := n.l.Find(ctx, map[string]string{ebs.TagBackupUID: n.plan.UID})
	if err != nil {
		return nil, fmt.Errorf("look for snapshots of an earlier attempt: %w", err)
	}
	out := map[int][]ebs.Snapshot{}
	for _, i := range volumes {
		v := &n.plan.Volumes[i]
		for _, s := range all {
			if pv := s.Tags[ebs.TagPV]; s.VolumeID == v.VolumeID && (pv == "" || pv == v.PV) {
				out[i] = append(out[i], s)
			}
		}
	}
	return out, nil
}

func (n *nativeSnapshots) found(ctx context.Context, volumes []int) ([]taken, error) {
	of, err := n.of(ctx, volumes)
	var out []taken
	for i, all := range of {
		for _, s := range all {
			if s.State != ebs.SnapshotFailed {
				out = append(out, taken{Volume: i, At: s.Started, ID: s.ID})
				break
			}
		}
	}
	return out, err
}

func (n *nativeSnapshots) forget(ctx context.Context, volumes []int) error {
	of, err := n.of(ctx, volumes)
	for _, all := range of {
		for _, s := range all {
			if _, err := n.l.DeleteSnapshot(ctx, s.ID, map[string]string{ebs.TagBackupUID: n.plan.UID}); err != nil {
				return fmt.Errorf("delete a snapshot of an earlier attempt: %w", err)
			}
		}
	}
	return err
}

// retain has nothing to do: EBS snapshots outlive the cluster's objects by themselves.
func (n *nativeSnapshots) retain(context.Context, []taken) (retention, error) {
	return retention{}, nil
}

// release has nothing to do: nothing in the cluster stands for an EBS snapshot.
func (n *nativeSnapshots) release(context.Context, []taken) error { return nil }
