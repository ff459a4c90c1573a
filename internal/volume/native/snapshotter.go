package native

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const (
	// CreateAttempts is how many attempts a volume gets whose snapshot EC2 fails to
	// make: some two minutes of waiting between them.
	CreateAttempts = 8
	// visiblePause lies between two looks for snapshots that EC2 does not show yet.
	visiblePause = time.Second
)

// Snapshots takes EBS snapshots through EC2.
type Snapshots struct {
	Location *ebs.Location
	Backup   *volume.Backup
}

// nativeRequest is one volume to snapshot.
type nativeRequest struct {
	index int
	ebs.Request
}

// reservation has the capacity for the snapshots of one unit.
type reservation struct {
	snapshots *Snapshots
	options   volume.ReserveOptions
	groups    [][]nativeRequest // each of one volume, or of volumes on one instance
	missing   []volume.Snapshot // volumes that are not there
	reserved  *ebs.Reservation  // nil: each request waits by itself

	mu       sync.Mutex
	untagged []untaggedGroup
}

// untaggedGroup is a group of which EC2 has set only the tags that all have in common.
type untaggedGroup struct {
	requests  []nativeRequest
	snapshots []ebs.Snapshot // in the order of the requests
}

// Reserve looks the volumes up and, before pods are quiesced, reserves capacity for their
// snapshots.
func (n *Snapshots) Reserve(ctx context.Context, groups [][]int, how volume.ReserveOptions) (volume.Reservation, error) {
	ids := make([]string, 0, len(groups))
	for _, i := range slices.Concat(groups...) {
		ids = append(ids, n.Backup.Volumes[i].VolumeID)
	}
	found, err := n.Location.Volumes(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("describe volumes: %w", err)
	}
	t := &reservation{snapshots: n, options: how}
	for _, g := range groups {
		t.addGroup(g, found)
	}
	if !how.Quiesced || len(t.groups) == 0 {
		return t, nil
	}
	var all []ebs.Volume
	for _, r := range slices.Concat(t.groups...) {
		all = append(all, r.Volume)
	}
	err = how.Within(ctx, func(ctx context.Context) (err error) {
		t.reserved, err = n.Location.Reserve(ctx, all)
		return err
	})
	return t, err
}

// addGroup cuts a group by instance: EC2 fixes one moment only for volumes of one.
func (t *reservation) addGroup(group []int, found map[string]ebs.Volume) {
	at := map[string]int{}
	for _, i := range group {
		v := t.snapshots.Backup.Volumes[i]
		vol, ok := found[v.VolumeID]
		if why := whyUnfit(v.VolumeID, vol, ok); why != "" {
			t.missing = append(t.missing, volume.FailedSnapshots([]int{i}, why)...)
			continue
		}
		r := nativeRequest{i, ebs.Request{Volume: vol, PV: v.PV, Tags: t.snapshots.tags(vol, v.PV)}}
		k, ok := at[vol.Instance]
		if !ok || vol.Instance == "" {
			at[vol.Instance] = len(t.groups)
			t.groups = append(t.groups, []nativeRequest{r})
			continue
		}
		t.groups[k] = append(t.groups[k], r)
	}
}

// whyUnfit says why there can be no snapshot of a volume.
func whyUnfit(id string, v ebs.Volume, there bool) string {
	switch {
	case !there || v.State == ebs.VolumeDeleting || v.State == ebs.VolumeDeleted:
		return "there is no EBS volume " + id + " any more"
	case v.State == ebs.VolumeFailed:
		return "EBS says that volume " + id + " is in state error"
	}
	return ""
}

// tags are those of the volume, then the backup's labels, then ours, among them the
// volume's speed, of which Velero's files have no room for all.
func (n *Snapshots) tags(v ebs.Volume, pv string) map[string]string {
	own := map[string]string{
		ebs.TagBackup: n.Backup.Name, ebs.TagPV: pv, ebs.TagBackupUID: n.Backup.UID,
		ebs.TagCluster: n.Backup.Cluster, ebs.TagLocation: n.Backup.StorageLocation,
		ebs.TagPlace: n.Backup.Place,
	}
	if v.IOPS > 0 {
		own[ebs.TagIOPS] = strconv.Itoa(int(v.IOPS))
	}
	if v.Throughput > 0 {
		own[ebs.TagThroughput] = strconv.Itoa(int(v.Throughput))
	}
	if v.MultiAttach {
		own[ebs.TagMultiAttach] = "true"
	}
	return ebs.Tags(v.Tags, n.Backup.Labels, own)
}

// Take snapshots the groups in parallel. With pods quiesced for the last time, those
// that can be had are better than none.
func (t *reservation) Take(ctx context.Context, without map[int]bool) ([]volume.Snapshot, error) {
	limited, cancel := ctx, func() {}
	if t.reserved != nil {
		limited, cancel = context.WithTimeout(ctx, volume.QuiesceLimit)
	}
	defer cancel()
	out := slices.DeleteFunc(slices.Clone(t.missing), func(l volume.Snapshot) bool { return without[l.Volume] })
	err := parallel.ForEach(limited, volume.CreateWindow, t.groups, func(gctx context.Context, g []nativeRequest) error {
		g = slices.DeleteFunc(slices.Clone(g), func(r nativeRequest) bool { return without[r.index] })
		if len(g) == 0 {
			return nil
		}
		snaps, apart, err := t.createGroup(gctx, g)
		if err != nil && limited.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("EC2 has not answered in %s, and pods stay frozen no longer: %w", volume.QuiesceLimit, err)
		}
		if err != nil && !t.isFinal(ctx, gctx, err) {
			return err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		out = append(out, recordTaken(g, snaps, apart, err)...)
		if err == nil && len(g) > 1 && apart == "" && t.reserved != nil {
			t.untagged = append(t.untagged, untaggedGroup{g, snaps})
		}
		return nil
	})
	return out, err
}

// isFinal: an error is the volumes' and no retry's. group ends before ctx does when
// pods have been frozen for long enough, or another group has failed.
func (t *reservation) isFinal(ctx, group context.Context, err error) bool {
	switch {
	case ctx.Err() != nil:
		return false
	case t.options.LastAttempt && t.reserved != nil, errors.Is(err, volume.ErrNoCapacity):
		return true
	}
	return group.Err() == nil && givenUp(t.options.Attempt, err)
}

// givenUp: a volume's snapshot is refused for good, or has failed in attempt after
// attempt while EC2 answered otherwise. One volume must not hold up all others.
func givenUp(attempt int32, err error) bool {
	return ebs.IsFinal(err) || attempt >= CreateAttempts && (errors.Is(err, ebs.ErrState) || errors.Is(err, ebs.ErrUnavailable))
}

// createGroup asks for those of a group, in the reserved capacity if there is some, or in
// such as there is in time. apart says why they are not of one moment.
func (t *reservation) createGroup(ctx context.Context, g []nativeRequest) (snaps []ebs.Snapshot, apart string, err error) {
	if t.reserved != nil {
		return createSnapshots(ctx, t.reserved, t.snapshots.Backup.UID, g)
	}
	err = t.options.Within(ctx, func(ctx context.Context) (err error) {
		snaps, apart, err = createSnapshots(ctx, t.snapshots.Location, t.snapshots.Backup.UID, g)
		return err
	})
	return snaps, apart, err
}

// snapshotMaker is a location, or capacity reserved in one.
type snapshotMaker interface {
	Snapshot(ctx context.Context, uid string, r ebs.Request) (ebs.Snapshot, error)
	SnapshotInstance(ctx context.Context, uid, instance string, rs []ebs.Request) ([]ebs.Snapshot, error)
}

// createSnapshots makes those of a group at one moment, or one after the other where EC2
// cannot make them together: apart says why.
func createSnapshots(ctx context.Context, m snapshotMaker, uid string, g []nativeRequest) (snaps []ebs.Snapshot, apart string, err error) {
	if len(g) > 1 {
		snaps, err = m.SnapshotInstance(ctx, uid, g[0].Volume.Instance, requests(g))
		if !errors.Is(err, ebs.ErrGroupTooSmall) {
			return snaps, "", err
		}
		apart = err.Error()
	}
	for _, r := range g {
		s, err := m.Snapshot(ctx, uid, r.Request)
		if err != nil {
			return nil, apart, err
		}
		snaps = append(snaps, s)
	}
	return snaps, apart, nil
}

func idsOf(snaps []ebs.Snapshot) []string {
	out := make([]string, len(snaps))
	for i, s := range snaps {
		out[i] = s.ID
	}
	return out
}

func requests(g []nativeRequest) []ebs.Request {
	out := make([]ebs.Request, len(g))
	for i, r := range g {
		out[i] = r.Request
	}
	return out
}

// recordTaken is what a group came to: snapshots are in the order of the requests.
func recordTaken(g []nativeRequest, snaps []ebs.Snapshot, apart string, err error) []volume.Snapshot {
	out := make([]volume.Snapshot, len(g))
	for i, r := range g {
		out[i] = volume.Snapshot{Volume: r.index, At: time.Now().UTC(), Type: r.Volume.Type, Zone: r.Volume.Zone, IOPS: r.Volume.IOPS}
		if err != nil {
			out[i].Failed = err.Error()
			continue
		}
		out[i].ID, out[i].Apart = snaps[i].ID, apart
		if !snaps[i].Started.IsZero() {
			out[i].At = snaps[i].Started
		}
	}
	return out
}

// CompleteTags gives the snapshots of an instance the tags that EC2 cannot give when it
// makes them.
func (t *reservation) CompleteTags(ctx context.Context) (map[int]string, error) {
	refused := map[int]string{}
	for _, g := range t.untagged {
		err := t.completeGroup(ctx, g)
		if err != nil && (ctx.Err() != nil || !givenUp(t.options.Attempt, err)) {
			return nil, fmt.Errorf("tag snapshots of instance %s: %w", g.requests[0].Volume.Instance, err)
		}
		for _, r := range g.requests {
			if err != nil {
				refused[r.index] = "its snapshot could not be tagged: " + err.Error()
			}
		}
	}
	return refused, nil
}

// completeGroup tags a group once EC2 shows all of it. It does not look for the group by its tags: EC2
// knows those later than the ids, and a group that it does not find is made anew, which waits for the
// volumes that this reservation holds.
func (t *reservation) completeGroup(ctx context.Context, g untaggedGroup) error {
	if err := t.awaitVisible(ctx, idsOf(g.snapshots)); err != nil {
		return err
	}
	return t.snapshots.Location.CompleteTags(ctx, g.snapshots, requests(g.requests))
}

func (t *reservation) awaitVisible(ctx context.Context, ids []string) error {
	for end := time.Now().Add(quota.VisibleWithin); ; {
		seen, err := t.snapshots.Location.Snapshots(ctx, ids)
		if err != nil || len(seen) == len(ids) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: EC2 does not show all of %v", ebs.ErrNotFound, ids)
		}
		if err := poll.Wait(ctx, visiblePause); err != nil {
			return err
		}
	}
}

func (t *reservation) Release() {
	if t.reserved != nil {
		t.reserved.Release()
	}
}
