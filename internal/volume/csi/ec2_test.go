package csi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// seenEC2 is what a location sees of EC2.
type seenEC2 struct {
	disks string // the volumes that it sees, by their last letters
	snaps map[string]string
	late  int // looks until it shows any snapshot
	err   error

	tags   map[string]map[string]string // of the snapshots
	tagErr error
	tagged int // requests
}

func (a *seenEC2) AddTags(_ context.Context, ids []string, tags map[string]string) error {
	a.tagged++
	for _, id := range ids {
		if a.tagErr == nil {
			maps.Copy(a.tags[id], tags)
		}
	}
	return a.tagErr
}

func (a *seenEC2) Volumes(_ context.Context, ids []string) (map[string]ebs.Volume, error) {
	out := map[string]ebs.Volume{}
	for _, id := range ids {
		if strings.Contains(a.disks, id[len(id)-1:]) {
			out[id] = ebs.Volume{ID: id}
		}
	}
	return out, a.err
}

func (a *seenEC2) Snapshots(_ context.Context, ids []string) (map[string]ebs.Snapshot, error) {
	out := map[string]ebs.Snapshot{}
	if a.late--; a.late >= 0 {
		return out, nil
	}
	for _, id := range ids {
		if state := a.snaps[id]; state != "" {
			out[id] = ebs.Snapshot{ID: id, State: state, Tags: maps.Clone(a.tags[id])}
		}
	}
	return out, nil
}

// TestExistInEC2: of two ready CSI snapshots, which a location says are not there, and
// of which it knows nothing.
func TestExistInEC2(t *testing.T) {
	both := map[string]string{"snap-0": ebs.SnapshotCompleted, "snap-1": ebs.SnapshotCompleted}
	for name, tc := range map[string]struct {
		seenEC2
		failed, left int
		says         string
	}{
		"both":                   {seenEC2: seenEC2{disks: "01", snaps: both}},
		"late":                   {seenEC2: seenEC2{disks: "01", snaps: both, late: 2}},
		"one is gone":            {seenEC2: seenEC2{disks: "01", snaps: map[string]string{"snap-0": ebs.SnapshotCompleted}}, failed: 1, says: "snapshot snap-1 of its volume vol-1 is not in EC2 any more"},
		"one has failed":         {seenEC2: seenEC2{disks: "01", snaps: map[string]string{"snap-0": ebs.SnapshotCompleted, "snap-1": ebs.SnapshotFailed}}, failed: 1, says: "EBS gave snapshot snap-1 up"},
		"of another account":     {seenEC2: seenEC2{}, left: 2},
		"one of another account": {seenEC2: seenEC2{disks: "0", snaps: both}, left: 1},
		"denied":                 {seenEC2: seenEC2{disks: "01", err: ebs.ErrDenied}, left: 2},
	} {
		t.Run(name, func(t *testing.T) {
			k := &retainer{c: &Snapshots{Backup: volumetest.Backup("ccn")}, infos: map[int]*volume.CSIInfo{}, failed: map[int]string{}}
			for i := range 2 {
				v := &k.c.Backup.Volumes[i]
				v.Driver, v.VolumeID = volume.DriverEBS, fmt.Sprint("vol-", i)
				k.infos[i] = &volume.CSIInfo{SnapshotHandle: fmt.Sprint("snap-", i)}
				k.add(i, kube.VolumeSnapshots(), "shop", fmt.Sprint("vs-", i), nil)
			}
			k.add(-1, kube.VolumeSnapshotClasses(), "", "class", nil)
			left, err := k.judge(t.Context(), &tc.seenEC2, k.ofEBS(), visibility{50 * time.Millisecond, 10 * time.Millisecond})
			got := k.result()
			if !errors.Is(err, tc.err) || len(left) != tc.left || len(got.Failed) != tc.failed || len(got.Objects) != 3-tc.failed || len(got.Infos) != 2-tc.failed {
				t.Errorf("%v, left %d, %d objects, %v", err, len(left), len(got.Objects), got.Failed)
			}
			if why := got.Failed[1]; tc.says != "" && !strings.Contains(why, tc.says) {
				t.Errorf("says %q", why)
			}
		})
	}
}

// TestAddTags: snapshots of a driver get the tags of the backup, and a repeat asks for nothing. One
// that cannot be tagged is in the backup all the same, and told.
func TestAddTags(t *testing.T) {
	a := &seenEC2{disks: "01", snaps: map[string]string{"snap-0": ebs.SnapshotCompleted, "snap-1": ebs.SnapshotCompleted}, tags: map[string]map[string]string{
		"snap-0": {"CSIVolumeSnapshotName": "s0"}, "snap-1": {"CSIVolumeSnapshotName": "s1", "team": "driver"},
	}}
	b := volumetest.Backup("cc")
	b.Labels, b.Place = map[string]string{"team": "books", "tier": "gold"}, "p"
	retain := func() *retainer {
		k := &retainer{c: &Snapshots{Backup: b}, infos: map[int]*volume.CSIInfo{}, failed: map[int]string{}}
		for i := range 2 {
			v := &b.Volumes[i]
			v.Driver, v.VolumeID = volume.DriverEBS, fmt.Sprint("vol-", i)
			k.infos[i] = &volume.CSIInfo{SnapshotHandle: fmt.Sprint("snap-", i)}
		}
		if _, err := k.judge(t.Context(), a, k.ofEBS(), visibility{}); err != nil {
			t.Fatal(err)
		}
		k.addTags(t.Context(), a)
		return k
	}
	a.tagErr = ebs.ErrDenied
	if got := retain().result(); len(got.Infos) != 2 || !strings.Contains(got.Untagged, "could not be tagged") {
		t.Errorf("%+v", got)
	}
	a.tagErr, a.tagged = nil, 0
	retain()
	for range 2 {
		if got := retain().result(); got.Untagged != "" || a.tagged != 2 {
			t.Errorf("%d requests, %+v", a.tagged, got)
		}
	}
	for id, team := range map[string]string{"snap-0": "books", "snap-1": "driver"} {
		tags := a.tags[id]
		if tags["team"] != team || tags["tier"] != "gold" || tags[ebs.TagBackup] != b.Name || tags[ebs.TagDriverBackupUID] != b.UID || tags[ebs.TagBackupUID] != "" || tags[ebs.TagPlace] != "p" || tags["CSIVolumeSnapshotName"] == "" {
			t.Errorf("%s: %v", id, tags)
		}
	}
}
