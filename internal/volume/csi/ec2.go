package csi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// ec2 is what a location can tell.
type ec2 interface {
	Volumes(ctx context.Context, ids []string) (map[string]ebs.Volume, error)
	Snapshots(ctx context.Context, ids []string) (map[string]ebs.Snapshot, error)
	AddTags(ctx context.Context, ids []string, tags map[string]string) error
}

// visibility is how long a snapshot that EC2 does not show is looked for, and how often.
type visibility struct{ within, pause time.Duration }

// checkInEC2 asks EC2 for the snapshots that its CSI driver calls ready: somebody may have
// deleted one since, which neither driver nor cluster would notice. A location that
// cannot be asked, or does not know the volumes, says nothing about their snapshots.
func (k *retainer) checkInEC2(ctx context.Context) error {
	left := k.ofEBS()
	if k.c.Locations == nil || len(left) == 0 {
		return nil
	}
	_, err := k.c.Locations.AskEach(ctx, func(ctx context.Context, _ string, loc *ebs.Location) (_ bool, err error) {
		left, err = k.judge(ctx, loc, left, visibility{quota.LookAgainFor, pollLast})
		k.addTags(ctx, loc)
		return len(left) == 0, err
	})
	if err != nil {
		return fmt.Errorf("look for snapshots in EC2: %w", err)
	}
	return nil
}

// ofEBS are the volumes whose handles are ids of EBS snapshots, in order.
func (k *retainer) ofEBS() []int {
	var out []int
	for _, i := range slices.Sorted(maps.Keys(k.infos)) {
		if k.failed[i] != "" {
			continue
		}
		v := &k.c.Backup.Volumes[i]
		if volume.IsEBSDriver(v.Driver) && v.VolumeID != "" && volume.IsEBSSnapshotID(k.infos[i].SnapshotHandle) {
			out = append(out, i)
		}
	}
	return out
}

// judge fails those whose volume a location sees and whose snapshot it does not, and
// returns those that it can say nothing of: all of them where there is an error.
func (k *retainer) judge(ctx context.Context, loc ec2, all []int, wait visibility) ([]int, error) {
	idOf := func(i int) string { return k.c.Backup.Volumes[i].VolumeID }
	handleOf := func(i int) string { return k.infos[i].SnapshotHandle }
	disks, err := loc.Volumes(ctx, textOf(all, idOf))
	if err != nil {
		return all, err
	}
	unknown := slices.DeleteFunc(slices.Clone(all), func(i int) bool { _, sees := disks[idOf(i)]; return sees })
	asked := slices.DeleteFunc(slices.Clone(all), func(i int) bool { _, sees := disks[idOf(i)]; return !sees })
	for end := time.Now().Add(wait.within); len(asked) > 0; {
		found, err := loc.Snapshots(ctx, textOf(asked, handleOf))
		if err != nil {
			return all, err
		}
		asked = slices.DeleteFunc(asked, func(i int) bool {
			s, there := found[handleOf(i)]
			switch {
			case there && s.State == ebs.SnapshotFailed:
				k.failed[i] = ebs.FailureOf(s)
			case there:
				k.seen = append(k.seen, s)
			}
			return there
		})
		if len(asked) == 0 || time.Now().After(end) {
			break
		}
		if err := poll.Wait(ctx, wait.pause); err != nil {
			return all, err
		}
	}
	for _, i := range asked {
		k.failed[i] = fmt.Sprintf("snapshot %s of its volume %s is not in EC2 any more, though the driver calls it ready", handleOf(i), idOf(i))
	}
	return unknown, nil
}

// addTags gives the snapshots that a location has shown the tags that a native snapshot has from
// the start: by them users find what is theirs, and the search for orphans what is ours. What
// cannot be tagged is in the backup all the same.
func (k *retainer) addTags(ctx context.Context, loc ec2) {
	b := k.c.Backup
	ours := map[string]string{
		ebs.TagBackup: b.Name, ebs.TagDriverBackupUID: b.UID, ebs.TagCluster: b.Cluster, ebs.TagLocation: b.StorageLocation, ebs.TagPlace: b.Place,
	}
	tags, ids := map[string]map[string]string{}, map[string][]string{}
	for _, s := range k.seen {
		t := ebs.TagsBeside(s.Tags, b.Labels, ours)
		if maps.Equal(t, overlap(s.Tags, t)) {
			continue // an attempt before this one
		}
		key := fmt.Sprint(t) // in the order of its keys
		tags[key], ids[key] = t, append(ids[key], s.ID)
	}
	k.seen = nil
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if err := loc.AddTags(ctx, ids[key], tags[key]); err != nil {
			k.untagged = fmt.Sprintf("%d CSI snapshots, %s among them, could not be tagged: %v", len(ids[key]), ids[key][0], err)
		}
	}
}

// overlap are those of have that want has keys of.
func overlap(have, want map[string]string) map[string]string {
	out := maps.Clone(have)
	maps.DeleteFunc(out, func(key, _ string) bool { _, wanted := want[key]; return !wanted })
	return out
}

func textOf[T any](all []T, of func(T) string) []string {
	out := make([]string, 0, len(all))
	for _, v := range all {
		out = append(out, of(v))
	}
	return out
}
