package ebssim_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

func (r rig) ofInstance(t *testing.T, in ec2.CreateSnapshotsInput, exclude ...string) map[string]types.SnapshotInfo {
	t.Helper()
	in.InstanceSpecification = &types.InstanceSpecification{
		InstanceId: aws.String("i-0a"), ExcludeBootVolume: aws.Bool(true), ExcludeDataVolumeIds: exclude,
	}
	out := must[*ec2.CreateSnapshotsOutput](t)(r.ec2.CreateSnapshots(t.Context(), &in))
	byVolume := map[string]types.SnapshotInfo{}
	for _, s := range out.Snapshots {
		byVolume[*s.VolumeId] = s
	}
	return byVolume
}

func tagsOf(tags []types.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[*t.Key] = *t.Value
	}
	return out
}

// CreateSnapshots takes the data volumes that are not excluded, with the request's
// tags over those of each volume.
func TestSnapshotsOfAnInstance(t *testing.T) {
	r := start(t, nil)
	a, b, left := r.newVolume(t, "pv", "a", "x", "volume"), r.newVolume(t, "pv", "b"), r.newVolume(t)
	r.attach(t, a, "/dev/xvdb")
	r.attach(t, b, "/dev/xvdc")
	r.attach(t, left, "/dev/xvdd")
	got := r.ofInstance(t, ec2.CreateSnapshotsInput{
		CopyTagsFromSource: types.CopyTagsFromSourceVolume, Description: aws.String("d"),
		TagSpecifications: tagSpec(types.ResourceTypeSnapshot, "x", "request"),
	}, left)
	if len(got) != 2 || got[a].State != types.SnapshotStatePending {
		t.Fatalf("got %+v", got)
	}
	if tags := tagsOf(got[a].Tags); tags["pv"] != "a" || tags["x"] != "request" {
		t.Fatalf("tags %v", tags)
	}
	listed := must[types.Snapshot](t)(r.snapshotState(t.Context(), *got[b].SnapshotId))
	if *listed.Description != "d" || tagsOf(listed.Tags)["pv"] != "b" || *listed.VolumeSize != 1 || *listed.OwnerId != account {
		t.Fatalf("got %+v", listed)
	}
	all := must[*ec2.CreateSnapshotsOutput](t)(r.ec2.CreateSnapshots(t.Context(), &ec2.CreateSnapshotsInput{
		InstanceSpecification: &types.InstanceSpecification{InstanceId: aws.String("i-0a")},
	}))
	if len(all.Snapshots) != 4 {
		t.Fatalf("%d snapshots, want those of 3 data volumes and the boot volume", len(all.Snapshots))
	}
}

// All or none: a limit that one volume meets stops the snapshots of all.
func TestSnapshotsOfAnInstanceAreAllOrNone(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.PendingPerAccount = 1 })
	r.attach(t, r.newVolume(t), "/dev/xvdb")
	r.attach(t, r.newVolume(t), "/dev/xvdc")
	_, err := r.ec2.CreateSnapshots(t.Context(), &ec2.CreateSnapshotsInput{
		InstanceSpecification: &types.InstanceSpecification{InstanceId: aws.String("i-0a"), ExcludeBootVolume: aws.Bool(true)},
	})
	wantCode(t, err, "PendingSnapshotLimitExceeded")
	if n := len(r.State().Snapshots); n != 0 {
		t.Fatalf("%d snapshots", n)
	}
}

func TestCopySnapshot(t *testing.T) {
	r := start(t, nil)
	vol := r.newVolume(t)
	write(t, filepath.Join(must[string](t)(r.VolumeDir(vol)), "f"), "x")
	snap := r.newSnapshot(t, vol, "app", "db")
	r.clock.Advance(time.Minute)
	out := must[*ec2.CopySnapshotOutput](t)(r.ec2.CopySnapshot(t.Context(), &ec2.CopySnapshotInput{
		SourceRegion: aws.String(region), SourceSnapshotId: aws.String(snap), Encrypted: aws.Bool(true),
	}))
	r.clock.Advance(time.Minute)
	got := must[types.Snapshot](t)(r.snapshotState(t.Context(), *out.SnapshotId))
	if got.State != types.SnapshotStateCompleted || !*got.Encrypted || len(got.Tags) != 0 {
		t.Fatalf("got %+v", got)
	}
}

// A snapshot that was deleted is shown by every second call for a while; nothing can be done with it.
func TestDeletedSnapshotLingers(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.Visibility = ebssim.Duration(time.Second) })
	volume := r.newVolume(t)
	r.clock.Advance(2 * time.Second)
	snap := r.newSnapshot(t, volume)
	r.clock.Advance(2 * time.Second)
	remove := func() error {
		_, err := r.ec2.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: aws.String(snap)})
		return err
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	shown := func() (n int) {
		for range 4 {
			if _, err := r.snapshotState(t.Context(), snap); err == nil {
				n++
			}
		}
		return n
	}
	if n := shown(); n != 2 {
		t.Errorf("%d of 4 calls show it, want 2", n)
	}
	for range 2 {
		wantCode(t, remove(), "InvalidSnapshot.NotFound")
		_, err := r.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{snap}, Tags: tagList("a", "b")})
		wantCode(t, err, "InvalidSnapshot.NotFound")
		_, err = r.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), SnapshotId: aws.String(snap)})
		wantCode(t, err, "InvalidSnapshot.NotFound")
	}
	r.clock.Advance(time.Second)
	if n := shown(); n != 0 || len(r.State().Snapshots) != 0 {
		t.Errorf("%d of 4 calls show it at the end: %+v", n, r.State().Snapshots)
	}
}

// An account has snapshots that are no business of its user: two that another account has shared,
// without tags, and two archived ones, of which no volume can be made. Whoever changes or deletes
// one is told of.
func TestSnapshotsOfOthers(t *testing.T) {
	r := start(t, nil)
	list := func(owners ...string) (ids []string) {
		for _, s := range must[*ec2.DescribeSnapshotsOutput](t)(r.ec2.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{OwnerIds: owners})).Snapshots {
			if isOwn := *s.OwnerId == account; isOwn != (s.StorageTier == types.StorageTierArchive) || isOwn != (len(s.Tags) > 0) || *s.OwnerId != account && *s.OwnerId != ebssim.OtherAccount {
				t.Errorf("got %+v", s)
			}
			ids = append(ids, *s.SnapshotId)
		}
		return ids
	}
	all, own := list(), list("self")
	if len(all) != 4 || len(own) != 2 || len(r.State().Snapshots) != 0 {
		t.Fatalf("%d snapshots, %d own", len(all), len(own))
	}
	if err := r.State().CheckOthers(); err != nil {
		t.Error(err)
	}
	tier := must[*ec2.DescribeSnapshotsOutput](t)(r.ec2.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{Filters: filter("storage-tier", "archive")}))
	if len(tier.Snapshots) != 2 {
		t.Errorf("%d snapshots by the filter of archived ones", len(tier.Snapshots))
	}
	_, err := r.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), SnapshotId: aws.String(own[0])})
	wantCode(t, err, "IncorrectState")
	must[*ec2.CreateTagsOutput](t)(r.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: all[:1], Tags: tagList("mine", "1")}))
	if r.State().CheckOthers() == nil {
		t.Error("a tag more is not told")
	}
	must[*ec2.DeleteTagsOutput](t)(r.ec2.DeleteTags(t.Context(), &ec2.DeleteTagsInput{Resources: all[:1], Tags: tagList("mine", "1")}))
	must[*ec2.DeleteSnapshotOutput](t)(r.ec2.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: aws.String(own[0])}))
	if r.State().CheckOthers() == nil {
		t.Error("a deletion is not told")
	}
}

func TestRecycleBin(t *testing.T) {
	r := start(t, nil)
	r.SetRecycleBin([]ebssim.RetentionRule{{Tags: map[string]string{"keep": "yes"}, Retain: ebssim.Duration(24 * time.Hour)}})
	vol := r.newVolume(t)
	kept, lost := r.newSnapshot(t, vol, "keep", "yes"), r.newSnapshot(t, vol, "keep", "no")
	r.clock.Advance(time.Minute)
	for _, id := range []string{kept, lost} {
		must[*ec2.DeleteSnapshotOutput](t)(r.ec2.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: aws.String(id)}))
		_, err := r.snapshotState(t.Context(), id)
		wantCode(t, err, "InvalidSnapshot.NotFound")
	}
	bin := must[*ec2.ListSnapshotsInRecycleBinOutput](t)(r.ec2.ListSnapshotsInRecycleBin(t.Context(), &ec2.ListSnapshotsInRecycleBinInput{}))
	if len(bin.Snapshots) != 1 || *bin.Snapshots[0].SnapshotId != kept || bin.Snapshots[0].RecycleBinExitTime.Sub(*bin.Snapshots[0].RecycleBinEnterTime) != 24*time.Hour {
		t.Fatalf("got %+v", bin.Snapshots)
	}
	restore := &ec2.RestoreSnapshotFromRecycleBinInput{SnapshotId: aws.String(kept)}
	must[*ec2.RestoreSnapshotFromRecycleBinOutput](t)(r.ec2.RestoreSnapshotFromRecycleBin(t.Context(), restore))
	if got := must[types.Snapshot](t)(r.snapshotState(t.Context(), kept)); tagsOf(got.Tags)["keep"] != "yes" {
		t.Fatalf("got %+v", got)
	}
	must[*ec2.DeleteSnapshotOutput](t)(r.ec2.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: aws.String(kept)}))
	r.clock.Advance(24 * time.Hour)
	_, err := r.ec2.RestoreSnapshotFromRecycleBin(t.Context(), restore)
	wantCode(t, err, "InvalidSnapshot.NotFound")
}

func TestSnapshotLock(t *testing.T) {
	r := start(t, nil)
	snap := r.newSnapshot(t, r.newVolume(t))
	r.clock.Advance(time.Minute)
	remove := func() error {
		_, err := r.ec2.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: aws.String(snap)})
		return err
	}
	unlock := func() error {
		_, err := r.ec2.UnlockSnapshot(t.Context(), &ec2.UnlockSnapshotInput{SnapshotId: aws.String(snap)})
		return err
	}
	state := func() types.LockState {
		out := must[*ec2.DescribeLockedSnapshotsOutput](t)(r.ec2.DescribeLockedSnapshots(t.Context(), &ec2.DescribeLockedSnapshotsInput{SnapshotIds: []string{snap}}))
		if len(out.Snapshots) == 0 {
			return ""
		}
		return out.Snapshots[0].LockState
	}
	lock := &ec2.LockSnapshotInput{SnapshotId: aws.String(snap), LockMode: types.LockModeGovernance, LockDuration: aws.Int32(1)}
	must[*ec2.LockSnapshotOutput](t)(r.ec2.LockSnapshot(t.Context(), lock))
	wantCode(t, remove(), "SnapshotLocked")
	if err := unlock(); err != nil || state() != "" {
		t.Fatal(err, state())
	}
	lock.LockMode, lock.CoolOffPeriod = types.LockModeCompliance, aws.Int32(1)
	must[*ec2.LockSnapshotOutput](t)(r.ec2.LockSnapshot(t.Context(), lock))
	if got := state(); got != types.LockStateComplianceCooloff {
		t.Fatal(got)
	}
	r.clock.Advance(time.Hour)
	wantCode(t, unlock(), "IncorrectState")
	if got := state(); got != types.LockStateCompliance {
		t.Fatal(got)
	}
	r.clock.Advance(23 * time.Hour)
	if got := state(); got != types.LockStateExpired {
		t.Fatal(got)
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
}

func TestTags(t *testing.T) {
	r := start(t, nil)
	vol := r.newVolume(t, "a", "1", "b", "2")
	snap := r.newSnapshot(t, vol)
	ids := []string{vol, snap}
	must[*ec2.CreateTagsOutput](t)(r.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: ids, Tags: tagList("b", "3", "c", "")}))
	must[*ec2.DeleteTagsOutput](t)(r.ec2.DeleteTags(t.Context(), &ec2.DeleteTagsInput{Resources: ids, Tags: []types.Tag{
		{Key: aws.String("a"), Value: aws.String("other")}, {Key: aws.String("c")},
	}}))
	if got := tagsOf(r.volume(t, vol).Tags); len(got) != 2 || got["a"] != "1" || got["b"] != "3" {
		t.Fatalf("got %v", got)
	}
	out := must[*ec2.DescribeTagsOutput](t)(r.ec2.DescribeTags(t.Context(), &ec2.DescribeTagsInput{Filters: filter("key", "b")}))
	if len(out.Tags) != 2 || *out.Tags[0].Value != "3" {
		t.Fatalf("got %+v", out.Tags)
	}
	_, err := r.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: ids, Tags: tagList(manyTags(49)...)})
	wantCode(t, err, "TagLimitExceeded")
	if got := must[types.Snapshot](t)(r.snapshotState(t.Context(), snap)); len(got.Tags) != 1 {
		t.Fatalf("the snapshot had room, the volume had none, and yet it got %d tags", len(got.Tags))
	}
}

// Forty volumes of an instance can be excluded, as with EC2, and the forty-first is refused.
func TestExcludedVolumes(t *testing.T) {
	r := start(t, nil)
	exclude := make([]string, 41)
	for i := range exclude {
		exclude[i] = r.newVolume(t)
	}
	for n, refused := range map[int]bool{40: false, 41: true} {
		_, err := r.ec2.CreateSnapshots(t.Context(), &ec2.CreateSnapshotsInput{InstanceSpecification: &types.InstanceSpecification{
			InstanceId: aws.String("i-0a"), ExcludeBootVolume: aws.Bool(true), ExcludeDataVolumeIds: exclude[:n],
		}})
		if tooMany := err != nil && strings.Contains(err.Error(), "Up to 40 volumes"); tooMany != refused {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// The shipped limits are as slow and as narrow as the account that they stand for.
func TestPublishedAreSlow(t *testing.T) {
	l := ebssim.Published()
	if time.Duration(l.Detach) != 10*time.Second || time.Duration(l.Visibility) != 2*time.Second || l.PendingPerAccount != 100 || time.Duration(l.SnapshotInterval) != 15*time.Second {
		t.Errorf("%+v", l)
	}
}
