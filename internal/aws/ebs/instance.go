package ebs

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
)

// maxExcludedVolumes is how many volumes CreateSnapshots can be told to leave out
// (InstanceSpecification in EC2's API reference). Nodes of the seventh generation hold up
// to 128 volumes.
const maxExcludedVolumes = 40

// SnapshotInstance makes snapshots of volumes that are attached to one instance,
// all of the same moment (crash-consistent as a group), or finds those that an
// earlier call made. The instance's boot volume and other volumes are left out.
// The result is in the order of rs. A group of which an earlier call's snapshots
// are not all there or not all well is made anew as a whole, and the remains are
// deleted. Where the instance has too many other volumes for that, the error is
// ErrGroupTooSmall, and nothing was made.
//
// EC2 tags all snapshots of a group alike when it makes them: what is common to
// all requests. The rest follows; until then a snapshot is known by TagBackupUID
// and its volume.
func (l *Location) SnapshotInstance(ctx context.Context, uid, instance string, rs []Request) ([]Snapshot, error) {
	found, err := l.existingGroup(ctx, uid, rs)
	switch {
	case err != nil:
		return nil, err
	case found != nil:
		return l.tagAll(ctx, found, rs)
	}
	volumes := make([]Volume, len(rs))
	for i, r := range rs {
		volumes[i] = r.Volume
	}
	res, err := l.reserve(ctx, volumes, quota.CreateSnapshots)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	made, err := res.createGroup(ctx, uid, instance, rs)
	if err != nil {
		return nil, err
	}
	if err := l.awaitVisible(ctx, made); err != nil {
		return nil, err
	}
	return l.tagAll(ctx, made, rs)
}

// SnapshotInstance is Location.SnapshotInstance in reserved room, except that it
// does not wait for the tags that EC2 cannot set at once: an application may be
// frozen. Location.SnapshotInstance with the same arguments completes them.
func (r *Reservation) SnapshotInstance(ctx context.Context, uid, instance string, rs []Request) ([]Snapshot, error) {
	if found, err := r.location.existingGroup(ctx, uid, rs); err != nil || found != nil {
		return found, err
	}
	return r.createGroup(ctx, uid, instance, rs)
}

// createGroup asks again where EC2 refused to leave out a volume that was detached after
// the instance was described.
func (r *Reservation) createGroup(ctx context.Context, uid, instance string, rs []Request) ([]Snapshot, error) {
	for {
		exclude, err := r.location.otherVolumes(ctx, instance, rs)
		switch {
		case err != nil:
			return nil, err
		case len(exclude) > maxExcludedVolumes:
			return nil, awserr.Fail(quota.CreateSnapshots, instance, ErrGroupTooSmall, "it has %d other volumes, and EC2 leaves out at most %d", len(exclude), maxExcludedVolumes)
		}
		made, err := r.createGroupWithout(ctx, exclude, uid, instance, rs)
		if !errors.Is(err, ErrInvalid) {
			return made, err
		}
		if changed, lookErr := r.location.awaitOtherVolumes(ctx, exclude, instance, rs); lookErr != nil || !changed {
			return nil, errors.Join(err, lookErr)
		}
	}
}

// awaitOtherVolumes reports whether the instance's other volumes are no longer those of
// before, within the time for which EC2 may show an older state.
func (l *Location) awaitOtherVolumes(ctx context.Context, before []string, instance string, rs []Request) (changed bool, err error) {
	err = lookAgain(ctx, func(ctx context.Context) (bool, error) {
		now, err := l.otherVolumes(ctx, instance, rs)
		changed = err == nil && !slices.Equal(slices.Sorted(slices.Values(now)), slices.Sorted(slices.Values(before)))
		return changed, err
	})
	return changed, err
}

func (r *Reservation) createGroupWithout(ctx context.Context, exclude []string, uid, instance string, rs []Request) ([]Snapshot, error) {
	slots, err := r.TakeSlots(ctx, len(rs))
	if err != nil {
		return nil, classify(quota.CreateSnapshots, instance, err)
	}
	defer slots.GiveBack()
	in := &ec2.CreateSnapshotsInput{
		Description: aws.String("Created by lifeboat for the volumes of one moment"),
		InstanceSpecification: &types.InstanceSpecification{
			InstanceId: aws.String(instance), ExcludeBootVolume: aws.Bool(true), ExcludeDataVolumeIds: exclude,
		},
		TagSpecifications: specification(types.ResourceTypeSnapshot, commonTags(rs)),
	}
	made, err := r.makeSnapshots(ctx, slots, quota.CreateSnapshots, instance, attempt{
		ask: func(ctx context.Context) ([]Snapshot, error) {
			out, err := r.location.ec2.CreateSnapshots(ctx, in, withoutRetries)
			if err != nil {
				return nil, err
			}
			return fromInfos(out.Snapshots), nil
		},
		look: func(ctx context.Context) ([]Snapshot, error) { return r.location.wholeGroup(ctx, uid, rs) },
	})
	if err != nil {
		return nil, err
	}
	slots.Created(forQuota(made))
	return assignToRequests(instance, made, rs)
}

// wholeGroup looks for a group whose answer was lost: all of it or nothing.
func (l *Location) wholeGroup(ctx context.Context, uid string, rs []Request) ([]Snapshot, error) {
	all, err := l.groupOf(ctx, uid, rs)
	if err != nil || slices.ContainsFunc(all, isMissing) {
		return nil, err
	}
	return all, nil
}

func fromInfos(infos []types.SnapshotInfo) []Snapshot {
	out := make([]Snapshot, len(infos))
	for i, s := range infos {
		out[i] = snapshotFromInfo(s)
	}
	return out
}

// assignToRequests puts snapshots in the order of the requests.
func assignToRequests(instance string, made []Snapshot, rs []Request) ([]Snapshot, error) {
	out := make([]Snapshot, len(rs))
	for i, r := range rs {
		at := slices.IndexFunc(made, func(s Snapshot) bool { return s.VolumeID == r.Volume.ID })
		if at < 0 {
			return nil, awserr.Fail(quota.CreateSnapshots, instance, ErrState, "EC2 made no snapshot of %s; is it attached to the instance?", r.Volume.ID)
		}
		out[i] = made[at]
		out[i].Zone = r.Volume.Zone
	}
	return out, nil
}

// commonTags are the tags that all requests share.
func commonTags(rs []Request) map[string]string {
	out := map[string]string{}
	for key, value := range rs[0].Tags {
		if !slices.ContainsFunc(rs, func(r Request) bool { v, ok := r.Tags[key]; return !ok || v != value }) {
			out[key] = value
		}
	}
	delete(out, TagPV) // one request alone shares it with itself
	return out
}

// otherVolumes are the instance's data volumes that nobody asked for. All that
// is asked for has to be among its volumes.
func (l *Location) otherVolumes(ctx context.Context, instance string, rs []Request) ([]string, error) {
	in := &ec2.DescribeInstancesInput{Filters: []types.Filter{filter("instance-id", instance)}}
	out, err := l.ec2.DescribeInstances(ctx, in)
	if err != nil {
		return nil, classify("DescribeInstances", instance, err)
	}
	var attached []string
	for _, res := range out.Reservations {
		for _, i := range res.Instances {
			attached = append(attached, dataVolumes(i)...)
		}
	}
	for _, r := range rs {
		if !slices.Contains(attached, r.Volume.ID) {
			return nil, awserr.Fail(quota.CreateSnapshots, instance, ErrState, "volume %s is not a data volume of it", r.Volume.ID)
		}
	}
	return slices.DeleteFunc(attached, func(id string) bool {
		return slices.ContainsFunc(rs, func(r Request) bool { return r.Volume.ID == id })
	}), nil
}

func dataVolumes(i types.Instance) []string {
	var ids []string
	for _, m := range i.BlockDeviceMappings {
		if m.Ebs != nil && aws.ToString(m.DeviceName) != aws.ToString(i.RootDeviceName) {
			ids = append(ids, aws.ToString(m.Ebs.VolumeId))
		}
	}
	return ids
}
