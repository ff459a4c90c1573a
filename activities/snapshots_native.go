package activities

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/ebs"
)

const (
	// createWindow is how many CreateSnapshot calls of one unit are under way; the
	// account's limiter has the last word.
	createWindow = 16
	// visibleAfter is how long EC2 may take to show a snapshot that it has made.
	visibleAfter = 2 * time.Minute
	// frozenLimit bounds how long pods stay frozen for requests that are not answered;
	// EC2 answers within a second.
	frozenLimit = time.Minute
)

// nativeSnapshots takes EBS snapshots through EC2.
type nativeSnapshots struct {
	l    *ebs.Location
	plan *backupPlan
}

// nativeRequest is one volume to snapshot.
type nativeRequest struct {
	index int
	ebs.Request
}

// nativeTaker is one unit's.
type nativeTaker struct {
	n      *nativeSnapshots
	groups [][]nativeRequest // each of one volume, or of volumes on one instance
	lost   []taken           // volumes that are not there
	room   *ebs.Reservation  // nil: each request waits by itself

	mu      sync.Mutex
	partial [][]nativeRequest // groups whose tags are to be completed
}

// ready looks the volumes up and, before a freeze, reserves room for their snapshots.
func (n *nativeSnapshots) ready(ctx context.Context, groups [][]int, frozen bool) (taker, error) {
	ids := make([]string, 0, len(groups))
	for _, i := range slices.Concat(groups...) {
		ids = append(ids, n.plan.Volumes.Volumes[i].VolumeID)
	}
	found, err := n.l.Volumes(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("describe volumes: %w", err)
	}
	t := &nativeTaker{n: n}
	for _, g := range groups {
		t.add(g, found)
	}
	if !frozen || len(t.groups) == 0 {
		return t, nil
	}
	var all []ebs.Volume
	for _, r := range slices.Concat(t.groups...) {
		all = append(all, r.Volume)
	}
	t.room, err = n.l.Reserve(ctx, all)
	return t, err
}

// add cuts a group by instance: EC2 fixes one moment only for volumes of one.
func (t *nativeTaker) add(group []int, found map[string]ebs.Volume) {
	at := map[string]int{}
	for _, i := range group {
		v := t.n.plan.Volumes.Volumes[i]
		vol, ok := found[v.VolumeID]
		if !ok || vol.State == ebs.VolumeDeleting || vol.State == ebs.VolumeDeleted {
			t.lost = append(t.lost, failedVolumes([]int{i}, "there is no EBS volume "+v.VolumeID+" any more")...)
			continue
		}
		r := nativeRequest{i, ebs.Request{Volume: vol, PV: v.PV, Tags: t.n.tags(vol, v.PV)}}
		k, ok := at[vol.Instance]
		if !ok || vol.Instance == "" {
			at[vol.Instance] = len(t.groups)
			t.groups = append(t.groups, []nativeRequest{r})
			continue
		}
		t.groups[k] = append(t.groups[k], r)
	}
}

// tags are those of the volume, then the backup's labels, then ours, among them the
// volume's speed, of which Velero's files have no room for all.
func (n *nativeSnapshots) tags(v ebs.Volume, pv string) map[string]string {
	own := map[string]string{
		ebs.TagBackup: n.plan.Backup.Name, ebs.TagPV: pv, ebs.TagBackupUID: n.plan.UID,
		ebs.TagCluster: n.plan.Run.Cluster, ebs.TagLocation: n.plan.Backup.Spec.StorageLocation,
	}
	if v.IOPS > 0 {
		own[tagIOPS] = strconv.Itoa(int(v.IOPS))
	}
	if v.Throughput > 0 {
		own[tagThroughput] = strconv.Itoa(int(v.Throughput))
	}
	return ebs.Tags(v.Tags, n.plan.Backup.Labels, own)
}

// take snapshots the groups in parallel.
func (t *nativeTaker) take(ctx context.Context, without map[int]bool) ([]taken, error) {
	if t.room != nil {
		limited, cancel := context.WithTimeout(ctx, frozenLimit)
		defer cancel()
		ctx = limited
	}
	out := slices.DeleteFunc(slices.Clone(t.lost), func(l taken) bool { return without[l.Volume] })
	err := inParallel(ctx, createWindow, t.groups, func(ctx context.Context, g []nativeRequest) error {
		g = slices.DeleteFunc(slices.Clone(g), func(r nativeRequest) bool { return without[r.index] })
		if len(g) == 0 {
			return nil
		}
		snaps, err := t.snapshots(ctx, g)
		if err != nil && (ctx.Err() != nil || !ebs.IsFinal(err)) {
			return err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		out = append(out, recordTaken(g, snaps, err)...)
		if err == nil && len(g) > 1 && t.room != nil {
			t.partial = append(t.partial, g)
		}
		return nil
	})
	return out, err
}

// snapshots asks for those of a group, in the reserved room if there is one.
func (t *nativeTaker) snapshots(ctx context.Context, g []nativeRequest) ([]ebs.Snapshot, error) {
	uid := t.n.plan.UID
	if len(g) > 1 {
		if t.room != nil {
			return t.room.SnapshotInstance(ctx, uid, g[0].Volume.Instance, requests(g))
		}
		return t.n.l.SnapshotInstance(ctx, uid, g[0].Volume.Instance, requests(g))
	}
	var s ebs.Snapshot
	var err error
	if t.room != nil {
		s, err = t.room.Snapshot(ctx, uid, g[0].Request)
	} else {
		s, err = t.n.l.Snapshot(ctx, uid, g[0].Request)
	}
	return []ebs.Snapshot{s}, err
}

func requests(g []nativeRequest) []ebs.Request {
	out := make([]ebs.Request, len(g))
	for i, r := range g {
		out[i] = r.Request
	}
	return out
}

// recordTaken is what a group came to: snapshots are in the order of the requests.
func recordTaken(g []nativeRequest, snaps []ebs.Snapshot, err error) []taken {
	out := make([]taken, len(g))
	for i, r := range g {
		out[i] = taken{Volume: r.index, At: time.Now().UTC(), Type: r.Volume.Type, Zone: r.Volume.Zone, IOPS: r.Volume.IOPS}
		if err != nil {
			out[i].Failed = err.Error()
			continue
		}
		out[i].ID = snaps[i].ID
		if !snaps[i].Started.IsZero() {
			out[i].At = snaps[i].Started
		}
	}
	return out
}

// complete gives the snapshots of an instance the tags that EC2 cannot give when it
// makes them.
func (t *nativeTaker) complete(ctx context.Context) error {
	for _, g := range t.partial {
		if _, err := t.n.l.SnapshotInstance(ctx, t.n.plan.UID, g[0].Volume.Instance, requests(g)); err != nil {
			return fmt.Errorf("tag snapshots of instance %s: %w", g[0].Volume.Instance, err)
		}
	}
	return nil
}

func (t *nativeTaker) release() {
	if t.room != nil {
		t.room.Release()
	}
}

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
		st.Phase, st.Detail = snapshotFailed, fmt.Sprintf("EBS gave snapshot %s up: %s", s.ID, s.StateMessage)
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
func (n *nativeSnapshots) discard(ctx context.Context, keep []taken) error {
	var ids []string
	for _, t := range keep {
		ids = append(ids, t.ID)
	}
	if _, err := n.l.Prune(ctx, n.plan.UID, ids); err != nil {
		return fmt.Errorf("delete snapshots of backup %s that are not kept: %w", n.plan.Backup.Name, err)
	}
	return nil
}
