package ebssim_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

func (r rig) volume(t *testing.T, id string) types.Volume {
	t.Helper()
	out := must[*ec2.DescribeVolumesOutput](t)(r.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{VolumeIds: []string{id}}))
	return out.Volumes[0]
}

// A volume is what was asked for, and one of its snapshot keeps size and key.
func TestVolumeIsWhatWasAskedFor(t *testing.T) {
	r := start(t, nil)
	r.SetKeys([]string{"1234"})
	made := must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{
		AvailabilityZone: aws.String(zone), Size: aws.Int32(20), VolumeType: types.VolumeTypeGp3, Iops: aws.Int32(4000),
		Throughput: aws.Int32(500), Encrypted: aws.Bool(true), KmsKeyId: aws.String("1234"),
		TagSpecifications: tagSpec(types.ResourceTypeVolume, "app", "db"),
	}))
	v := r.volume(t, *made.VolumeId)
	key := "arn:aws:kms:eu-central-1:111122223333:key/1234"
	if *v.Size != 20 || v.VolumeType != types.VolumeTypeGp3 || *v.Iops != 4000 || *v.Throughput != 500 || !*v.Encrypted || *v.KmsKeyId != key {
		t.Fatalf("got %+v", v)
	}
	if *v.AvailabilityZone != zone || v.State != types.VolumeStateAvailable || *v.Tags[0].Value != "db" || v.CreateTime.IsZero() {
		t.Fatalf("got %+v", v)
	}
	snap := r.newSnapshot(t, *made.VolumeId)
	r.clock.Advance(time.Minute)
	again := must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{
		AvailabilityZone: aws.String(zone), SnapshotId: aws.String(snap), VolumeType: types.VolumeTypeGp3,
	}))
	if *again.Size != 20 || *again.KmsKeyId != key || *again.Iops != 3000 || *again.SnapshotId != snap {
		t.Fatalf("got %+v", again)
	}
}

// EC2 agrees to make a volume with a key that may not be used, shows it, and drops it; also where
// the key is that of its snapshot.
func TestUnusableKey(t *testing.T) {
	r := start(t, nil)
	r.SetKeys([]string{"1234"})
	make := func(key, snapshot string) string {
		in := &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), Size: aws.Int32(20), Encrypted: aws.Bool(true)}
		if key != "" {
			in.KmsKeyId = aws.String(key)
		}
		if snapshot != "" {
			in.SnapshotId = aws.String(snapshot)
		}
		return *must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), in)).VolumeId
	}
	vanishes := func(id string) bool {
		before := r.volume(t, id).State
		r.clock.Advance(time.Minute)
		out := must[*ec2.DescribeVolumesOutput](t)(r.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{Filters: filter("volume-id", id)}))
		return before == types.VolumeStateCreating && len(out.Volumes) == 0
	}
	known := make("1234", "")
	if vanishes(known) || vanishes(make("", "")) || !vanishes(make("5678", "")) {
		t.Fatal("the key does not decide")
	}
	snap := r.newSnapshot(t, known)
	r.clock.Advance(time.Minute)
	if vanishes(make("", snap)) {
		t.Fatal("a volume of a snapshot vanishes")
	}
	r.SetKeys(nil)
	if !vanishes(make("", snap)) || vanishes(make("alias/aws/ebs", snap)) {
		t.Fatal("the key of the snapshot does not decide")
	}
}

// A rate is taken from 100 to 300 MiB/s, and of a snapshot's blocks only.
func TestInitializationRate(t *testing.T) {
	r := start(t, nil)
	snap := r.newSnapshot(t, *must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{
		AvailabilityZone: aws.String(zone), Size: aws.Int32(1),
	})).VolumeId)
	r.clock.Advance(time.Minute)
	for rate, code := range map[int32]string{99: "InvalidParameterValue", 100: "", 300: "", 301: "InvalidParameterValue"} {
		in := &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), SnapshotId: aws.String(snap), VolumeInitializationRate: aws.Int32(rate)}
		out, err := r.ec2.CreateVolume(t.Context(), in)
		switch {
		case code != "":
			wantCode(t, err, code)
		case err != nil:
			t.Errorf("%d: %v", rate, err)
		default:
			if v := r.volume(t, *out.VolumeId); aws.ToInt32(v.VolumeInitializationRate) != rate || aws.ToInt32(out.VolumeInitializationRate) != rate {
				t.Errorf("asked for %d, got %+v", rate, v)
			}
		}
	}
	_, err := r.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), Size: aws.Int32(1), VolumeInitializationRate: aws.Int32(200)})
	wantCode(t, err, "InvalidParameterCombination")
}

// The same token gives the same volume, even before it can be seen; another
// request under it is refused.
func TestClientToken(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.Visibility = ebssim.Duration(time.Second) })
	in := &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), Size: aws.Int32(1), ClientToken: aws.String("once")}
	first := must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), in))
	second := must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), in))
	if *first.VolumeId != *second.VolumeId {
		t.Fatalf("%s and %s", *first.VolumeId, *second.VolumeId)
	}
	in.Size = aws.Int32(2)
	_, err := r.ec2.CreateVolume(t.Context(), in)
	wantCode(t, err, "IdempotentParameterMismatch")
}

func TestAttachAndDetachTakeTime(t *testing.T) {
	r := start(t, func(o *ebssim.Options) {
		o.Limits.Attach, o.Limits.Detach = ebssim.Duration(time.Second), ebssim.Duration(time.Second)
	})
	id := r.newVolume(t)
	r.attach(t, id, "/dev/xvdb")
	if v := r.volume(t, id); v.State != types.VolumeStateInUse || v.Attachments[0].State != types.VolumeAttachmentStateAttaching {
		t.Fatalf("got %s, %+v", v.State, v.Attachments)
	}
	r.clock.Advance(time.Second)
	if v := r.volume(t, id); v.Attachments[0].State != types.VolumeAttachmentStateAttached || *v.Attachments[0].InstanceId != "i-0a" {
		t.Fatalf("got %+v", v.Attachments)
	}
	must[*ec2.DetachVolumeOutput](t)(r.ec2.DetachVolume(t.Context(), &ec2.DetachVolumeInput{VolumeId: aws.String(id)}))
	if v := r.volume(t, id); v.Attachments[0].State != types.VolumeAttachmentStateDetaching {
		t.Fatalf("got %+v", v.Attachments)
	}
	r.clock.Advance(time.Second)
	if v := r.volume(t, id); v.State != types.VolumeStateAvailable || len(v.Attachments) != 0 {
		t.Fatalf("got %s, %+v", v.State, v.Attachments)
	}
}

func TestInstancesShowTheirVolumes(t *testing.T) {
	r := start(t, nil)
	id := r.newVolume(t)
	r.attach(t, id, "/dev/xvdb")
	out := must[*ec2.DescribeInstancesOutput](t)(r.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{
		Filters: filter("block-device-mapping.volume-id", id),
	}))
	if len(out.Reservations) != 1 {
		t.Fatalf("got %d reservations", len(out.Reservations))
	}
	i := out.Reservations[0].Instances[0]
	if *i.InstanceId != "i-0a" || *i.Placement.AvailabilityZone != zone || i.State.Name != types.InstanceStateNameRunning || len(i.BlockDeviceMappings) != 2 {
		t.Fatalf("got %+v", i)
	}
	device := func(m types.InstanceBlockDeviceMapping) bool { return *m.DeviceName == *i.RootDeviceName }
	if !slices.ContainsFunc(i.BlockDeviceMappings, device) {
		t.Fatalf("no root device in %+v", i.BlockDeviceMappings)
	}
	zones := must[*ec2.DescribeAvailabilityZonesOutput](t)(r.ec2.DescribeAvailabilityZones(t.Context(), &ec2.DescribeAvailabilityZonesInput{}))
	if len(zones.AvailabilityZones) != 4 || *zones.AvailabilityZones[0].ZoneName != zone || *zones.AvailabilityZones[3].ZoneType != "local-zone" {
		t.Fatalf("got %+v", zones.AvailabilityZones)
	}
}

func TestModifyVolume(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.VolumeModify = ebssim.Duration(10 * time.Second) })
	id := r.newVolume(t)
	in := &ec2.ModifyVolumeInput{VolumeId: aws.String(id), Size: aws.Int32(20), Throughput: aws.Int32(250)}
	out := must[*ec2.ModifyVolumeOutput](t)(r.ec2.ModifyVolume(t.Context(), in))
	if m := out.VolumeModification; m.ModificationState != types.VolumeModificationStateModifying || *m.OriginalSize != 1 || *m.TargetSize != 20 {
		t.Fatalf("got %+v", m)
	}
	_, err := r.ec2.ModifyVolume(t.Context(), in)
	wantCode(t, err, "IncorrectModificationState")
	r.clock.Advance(10 * time.Second)
	all := must[*ec2.DescribeVolumesModificationsOutput](t)(r.ec2.DescribeVolumesModifications(t.Context(), &ec2.DescribeVolumesModificationsInput{VolumeIds: []string{id}}))
	if m := all.VolumesModifications[0]; m.ModificationState != types.VolumeModificationStateCompleted || *m.Progress != 100 {
		t.Fatalf("got %+v", m)
	}
	if v := r.volume(t, id); *v.Size != 20 || *v.Iops != 3000 || *v.Throughput != 250 {
		t.Fatalf("got %+v", v)
	}
}

// Pages of five show each volume once, and filters count before pages are cut.
func TestPagesAndFilters(t *testing.T) {
	r := start(t, nil)
	var want []string
	for range 12 {
		want = append(want, r.newVolume(t, "set", "a"))
		r.newVolume(t, "set", "b")
	}
	pages := ec2.NewDescribeVolumesPaginator(r.ec2, &ec2.DescribeVolumesInput{Filters: filter("tag:set", "a"), MaxResults: aws.Int32(5)})
	var got []string
	count := 0
	for pages.HasMorePages() {
		count++
		for _, v := range must[*ec2.DescribeVolumesOutput](t)(pages.NextPage(t.Context())).Volumes {
			got = append(got, *v.VolumeId)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || count != 3 {
		t.Fatalf("%d pages with %v, want 3 with %v", count, got, want)
	}
	for _, c := range []struct {
		filters []types.Filter
		want    int
	}{
		{filter("tag-key", "set"), 24},
		{filter("tag:set", "*"), 24},
		{filter("tag:set", "a", "b"), 24},
		{filter("tag:set", "?"), 24},
		{append(filter("tag:set", "a"), filter("volume-id", want[0])...), 1},
		{filter("status", "in-use"), 2}, // the boot volumes
		{filter("attachment.instance-id", "i-0a"), 1},
		{filter("size", "1"), 24},
	} {
		out := must[*ec2.DescribeVolumesOutput](t)(r.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{Filters: c.filters}))
		if len(out.Volumes) != c.want {
			t.Errorf("%s=%v: %d volumes, want %d", *c.filters[0].Name, c.filters[0].Values, len(out.Volumes), c.want)
		}
	}
}

// What was just made is not found for a while: by id, in lists, by other calls. Then some calls
// find it and others do not, and its tags are known last.
func TestEventualConsistency(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.Visibility = ebssim.Duration(time.Second) })
	id := r.newVolume(t)
	_, err := r.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{VolumeIds: []string{id}})
	wantCode(t, err, "InvalidVolume.NotFound")
	_, err = r.ec2.CreateSnapshot(t.Context(), &ec2.CreateSnapshotInput{VolumeId: aws.String(id)})
	wantCode(t, err, "InvalidVolume.NotFound")
	r.clock.Advance(time.Second)
	found := 0
	for range 4 {
		if _, err := r.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{VolumeIds: []string{id}}); err == nil {
			found++
		}
	}
	if found != 2 {
		t.Errorf("%d of 4 calls find it, want 2", found)
	}
	r.clock.Advance(time.Second)
	r.volume(t, id)
	snap := r.newSnapshot(t, id)
	_, err = r.snapshotState(t.Context(), snap)
	wantCode(t, err, "InvalidSnapshot.NotFound")
	if slices.Contains(r.ownSnapshots(t), snap) {
		t.Fatal("it is listed")
	}
	r.clock.Advance(2 * time.Second)
	must[types.Snapshot](t)(r.snapshotState(t.Context(), snap))
}

// A snapshot of another account is found by its id, has no tags, is no own one, and cannot be
// deleted; a volume can be made of it.
func TestSharedSnapshot(t *testing.T) {
	r := start(t, nil)
	snap := r.newSnapshot(t, r.newVolume(t))
	must[*ec2.CreateTagsOutput](t)(r.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{snap}, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))
	if err := r.MoveSnapshot(snap, "shared"); err != nil {
		t.Fatal(err)
	}
	if s := must[types.Snapshot](t)(r.snapshotState(t.Context(), snap)); len(s.Tags) != 0 || *s.OwnerId != "444455556666" {
		t.Errorf("got %+v", s)
	}
	if slices.Contains(r.ownSnapshots(t), snap) {
		t.Error("it is an own one")
	}
	_, err := r.ec2.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: aws.String(snap)})
	wantCode(t, err, "UnauthorizedOperation")
	must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), SnapshotId: aws.String(snap)}))
}

// A volume that is encrypted by a key that may not be used is there until it should be available.
func TestVolumeVanishes(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.VolumeCreate = ebssim.Duration(time.Second) })
	must[ebssim.Fault](t)(r.AddFault(ebssim.Fault{Effect: ebssim.EffectVolumeVanishes, Times: 1}))
	gone := r.newVolume(t)
	stays := r.newVolume(t)
	if v := r.volume(t, gone); v.State != types.VolumeStateCreating {
		t.Errorf("got %s", v.State)
	}
	r.clock.Advance(5 * time.Second)
	_, err := r.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{VolumeIds: []string{gone}})
	wantCode(t, err, "InvalidVolume.NotFound")
	r.volume(t, stays)
}

// A volume that was deleted is shown as such by every second call for a while.
func TestDeletedVolumeLingers(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.Visibility = ebssim.Duration(time.Second) })
	id := r.newVolume(t, "app", "db")
	r.clock.Advance(2 * time.Second)
	must[*ec2.DeleteVolumeOutput](t)(r.ec2.DeleteVolume(t.Context(), &ec2.DeleteVolumeInput{VolumeId: aws.String(id)}))
	shown := func() (n int) {
		for range 4 {
			out := must[*ec2.DescribeVolumesOutput](t)(r.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{Filters: filter("tag:app", "db")}))
			for _, v := range out.Volumes {
				n++
				if v.State != types.VolumeStateDeleting {
					t.Errorf("it is %s", v.State)
				}
			}
		}
		return n
	}
	if n := shown(); n != 2 {
		t.Errorf("%d of 4 calls show it, want 2", n)
	}
	for range 2 {
		_, err := r.ec2.DeleteVolume(t.Context(), &ec2.DeleteVolumeInput{VolumeId: aws.String(id)})
		wantCode(t, err, "InvalidVolume.NotFound")
	}
	if _, err := r.VolumeDir(id); err == nil {
		t.Error("its data is there")
	}
	r.clock.Advance(time.Second)
	if n := shown(); n != 0 {
		t.Errorf("%d of 4 calls show it at the end", n)
	}
}

func TestDeletedVolumesAreGone(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.VolumeCreate = ebssim.Duration(time.Second) })
	id := r.newVolume(t)
	dir := must[string](t)(r.VolumeDir(id))
	remove := func() error {
		_, err := r.ec2.DeleteVolume(t.Context(), &ec2.DeleteVolumeInput{VolumeId: aws.String(id)})
		return err
	}
	wantCode(t, remove(), "IncorrectState") // it is creating
	r.clock.Advance(time.Second)
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, remove(), "InvalidVolume.NotFound")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Fatalf("the data is still there: %v", err)
	}
}

// A volume is on the Outpost that its request names, and only instances there attach it. Its snapshot is in
// the Region, and so is a volume that is made of that without naming the Outpost.
func TestOutposts(t *testing.T) {
	const outpost = "arn:aws:outposts:eu-central-1:111122223333:outpost/op-1"
	r := start(t, func(o *ebssim.Options) {
		o.Instances = append(o.Instances, ebssim.Instance{ID: "i-0c", Zone: zone, Outpost: outpost})
	})
	in := &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), Size: aws.Int32(1), OutpostArn: aws.String(outpost)}
	_, err := r.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(region + "b"), Size: aws.Int32(1), OutpostArn: aws.String(outpost)})
	wantCode(t, err, "InvalidParameterValue")
	there, here := *must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), in)).VolumeId, r.newVolume(t)
	r.clock.Advance(time.Minute)
	for volume, wrong := range map[string]string{there: "i-0a", here: "i-0c"} {
		_, err := r.ec2.AttachVolume(t.Context(), &ec2.AttachVolumeInput{VolumeId: &volume, InstanceId: &wrong, Device: aws.String("/dev/xvdz")})
		wantCode(t, err, "InvalidParameterValue")
	}
	must[*ec2.AttachVolumeOutput](t)(r.ec2.AttachVolume(t.Context(), &ec2.AttachVolumeInput{VolumeId: &there, InstanceId: aws.String("i-0c"), Device: aws.String("/dev/xvdz")}))
	snapshot := must[*ec2.CreateSnapshotOutput](t)(r.ec2.CreateSnapshot(t.Context(), &ec2.CreateSnapshotInput{VolumeId: &there}))
	if snapshot.OutpostArn != nil {
		t.Errorf("the snapshot is on %s", *snapshot.OutpostArn)
	}
	r.clock.Advance(time.Hour)
	copied := must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), SnapshotId: snapshot.SnapshotId}))
	for id, want := range map[string]string{there: outpost, here: "", *copied.VolumeId: ""} {
		if got := aws.ToString(r.volume(t, id).OutpostArn); got != want {
			t.Errorf("volume %s is on %q, want %q", id, got, want)
		}
	}
}
