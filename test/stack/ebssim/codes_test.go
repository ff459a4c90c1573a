package ebssim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

const (
	noVolume   = "vol-0123456789abcdef0"
	noSnapshot = "snap-0123456789abcdef0"
)

// things is what the cases of TestCodes are about.
type things struct {
	rig
	free, attached, completed, pending string
}

func prepare(t *testing.T) things {
	r := start(t, func(o *ebssim.Options) { o.Limits.SnapshotBase = ebssim.Duration(10 * time.Second) })
	th := things{rig: r, free: r.newVolume(t), attached: r.newVolume(t)}
	r.attach(t, th.attached, "/dev/xvdb")
	th.completed = r.newSnapshot(t, th.free)
	r.clock.Advance(10 * time.Second)
	th.pending = r.newSnapshot(t, th.free)
	return th
}

// volumeWith is a request for a good volume, changed.
func volumeWith(change func(*ec2.CreateVolumeInput)) func(context.Context, things) error {
	return func(ctx context.Context, th things) error {
		in := &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), Size: aws.Int32(10), VolumeType: types.VolumeTypeGp3}
		change(in)
		_, err := th.ec2.CreateVolume(ctx, in)
		return err
	}
}

func TestCreateVolumeCodes(t *testing.T) {
	th := prepare(t)
	for _, c := range []struct {
		name, code string
		change     func(*ec2.CreateVolumeInput)
	}{
		{"no zone", "MissingParameter", func(in *ec2.CreateVolumeInput) { in.AvailabilityZone = nil }},
		{"unknown zone", "InvalidZone.NotFound", func(in *ec2.CreateVolumeInput) { in.AvailabilityZone = aws.String("eu-central-1z") }},
		{"no size", "MissingParameter", func(in *ec2.CreateVolumeInput) { in.Size = nil }},
		{"too small", "InvalidParameterValue", func(in *ec2.CreateVolumeInput) { in.VolumeType = types.VolumeTypeSt1 }},
		{"unknown type", "UnknownVolumeType", func(in *ec2.CreateVolumeInput) { in.VolumeType = "gp9" }},
		{"gp3 iops too few", "InvalidParameterValue", func(in *ec2.CreateVolumeInput) { in.Iops = aws.Int32(2999) }},
		{"gp3 iops ratio", "InvalidParameterValue", func(in *ec2.CreateVolumeInput) { in.Iops = aws.Int32(5001) }},
		{"gp3 throughput range", "InvalidParameterValue", func(in *ec2.CreateVolumeInput) { in.Throughput = aws.Int32(2001) }},
		{"gp3 throughput ratio", "InvalidParameterValue", func(in *ec2.CreateVolumeInput) { in.Throughput = aws.Int32(751) }},
		{"gp2 iops", "InvalidParameterCombination", func(in *ec2.CreateVolumeInput) {
			in.VolumeType, in.Iops = types.VolumeTypeGp2, aws.Int32(3000)
		}},
		{"gp2 throughput", "InvalidParameterCombination", func(in *ec2.CreateVolumeInput) {
			in.VolumeType, in.Throughput = types.VolumeTypeGp2, aws.Int32(125)
		}},
		{"io2 without iops", "MissingParameter", func(in *ec2.CreateVolumeInput) { in.VolumeType = types.VolumeTypeIo2 }},
		{"key without encryption", "InvalidParameterDependency", func(in *ec2.CreateVolumeInput) { in.KmsKeyId = aws.String("alias/x") }},
		{"multi-attach of gp3", "InvalidParameterCombination", func(in *ec2.CreateVolumeInput) { in.MultiAttachEnabled = aws.Bool(true) }},
		{"no snapshot", "InvalidSnapshot.NotFound", func(in *ec2.CreateVolumeInput) { in.SnapshotId = aws.String(noSnapshot) }},
		{"malformed snapshot", "InvalidSnapshotID.Malformed", func(in *ec2.CreateVolumeInput) { in.SnapshotId = aws.String("nonsense") }},
		{"pending snapshot", "IncorrectState", func(in *ec2.CreateVolumeInput) { in.SnapshotId = aws.String(th.pending) }},
		{"reserved tag", "InvalidParameterValue", func(in *ec2.CreateVolumeInput) {
			in.TagSpecifications = tagSpec(types.ResourceTypeVolume, "aws:x", "y")
		}},
		{"tags of another type", "InvalidParameterValue", func(in *ec2.CreateVolumeInput) {
			in.TagSpecifications = tagSpec(types.ResourceTypeSnapshot, "x", "y")
		}},
		{"dry run", "DryRunOperation", func(in *ec2.CreateVolumeInput) { in.DryRun = aws.Bool(true) }},
	} {
		t.Run(c.name, func(t *testing.T) { wantCode(t, volumeWith(c.change)(t.Context(), th), c.code) })
	}
	if n := len(th.State().Volumes); n != 4 { // two of ours, two boot volumes
		t.Fatalf("%d volumes: a refused request made one", n)
	}
}

func TestCodes(t *testing.T) {
	th := prepare(t)
	e := th.ec2
	for _, c := range []struct {
		name, code string
		call       func(context.Context) error
	}{
		{"describe a missing volume", "InvalidVolume.NotFound", func(ctx context.Context) error {
			_, err := e.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{VolumeIds: []string{noVolume}})
			return err
		}},
		{"describe a malformed volume id", "InvalidVolumeID.Malformed", func(ctx context.Context) error {
			_, err := e.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{VolumeIds: []string{"nonsense"}})
			return err
		}},
		{"describe a missing snapshot", "InvalidSnapshot.NotFound", func(ctx context.Context) error {
			_, err := e.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{SnapshotIds: []string{noSnapshot}})
			return err
		}},
		{"describe a missing instance", "InvalidInstanceID.NotFound", func(ctx context.Context) error {
			_, err := e.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-0c"}})
			return err
		}},
		{"unknown filter", "InvalidParameterValue", func(ctx context.Context) error {
			_, err := e.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{Filters: filter("colour", "red")})
			return err
		}},
		{"ids and pagination", "InvalidParameterCombination", func(ctx context.Context) error {
			_, err := e.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{VolumeIds: []string{th.free}, MaxResults: aws.Int32(5)})
			return err
		}},
		{"page too small", "InvalidParameterValue", func(ctx context.Context) error {
			_, err := e.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{MaxResults: aws.Int32(4)})
			return err
		}},
		{"bad page token", "InvalidNextToken", func(ctx context.Context) error {
			_, err := e.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{NextToken: aws.String("%%%")})
			return err
		}},
		{"delete an attached volume", "VolumeInUse", func(ctx context.Context) error {
			_, err := e.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: aws.String(th.attached)})
			return err
		}},
		{"delete a missing volume", "InvalidVolume.NotFound", func(ctx context.Context) error {
			_, err := e.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: aws.String(noVolume)})
			return err
		}},
		{"attach twice", "VolumeInUse", attach(th, th.attached, "i-0a", "/dev/xvdc")},
		{"attach across zones", "InvalidVolume.ZoneMismatch", attach(th, th.free, "i-0b", "/dev/xvdc")},
		{"attach to nothing", "InvalidInstanceID.NotFound", attach(th, th.free, "i-0c", "/dev/xvdc")},
		{"attach to a taken device", "InvalidParameterValue", attach(th, th.free, "i-0a", "/dev/xvdb")},
		{"detach a free volume", "IncorrectState", func(ctx context.Context) error {
			_, err := e.DetachVolume(ctx, &ec2.DetachVolumeInput{VolumeId: aws.String(th.free)})
			return err
		}},
		{"detach from another instance", "InvalidAttachment.NotFound", func(ctx context.Context) error {
			_, err := e.DetachVolume(ctx, &ec2.DetachVolumeInput{VolumeId: aws.String(th.attached), InstanceId: aws.String("i-0b")})
			return err
		}},
		{"shrink a volume", "InvalidParameterValue", func(ctx context.Context) error {
			_, err := e.ModifyVolume(ctx, &ec2.ModifyVolumeInput{VolumeId: aws.String(th.free), Size: aws.Int32(0)})
			return err
		}},
		{"snapshot of a missing volume", "InvalidVolume.NotFound", func(ctx context.Context) error {
			_, err := e.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{VolumeId: aws.String(noVolume)})
			return err
		}},
		{"snapshots of a missing instance", "InvalidInstanceID.NotFound", snapshots(th, "i-0c", false)},
		{"snapshots excluding a stranger", "InvalidParameterValue", snapshots(th, "i-0a", false, th.free)},
		{"snapshots of nothing", "InvalidParameterValue", snapshots(th, "i-0b", true)},
		{"copy from another region", "InvalidParameterValue", copyOf(th, "us-east-1", th.completed)},
		{"copy of a pending snapshot", "IncorrectState", copyOf(th, region, th.pending)},
		{"delete a missing snapshot", "InvalidSnapshot.NotFound", func(ctx context.Context) error {
			_, err := e.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: aws.String(noSnapshot)})
			return err
		}},
		{"restore what is not in the bin", "InvalidSnapshot.NotFound", func(ctx context.Context) error {
			_, err := e.RestoreSnapshotFromRecycleBin(ctx, &ec2.RestoreSnapshotFromRecycleBinInput{SnapshotId: aws.String(th.completed)})
			return err
		}},
		{"unlock what is not locked", "IncorrectState", func(ctx context.Context) error {
			_, err := e.UnlockSnapshot(ctx, &ec2.UnlockSnapshotInput{SnapshotId: aws.String(th.completed)})
			return err
		}},
		{"lock without an end", "InvalidParameterCombination", func(ctx context.Context) error {
			_, err := e.LockSnapshot(ctx, &ec2.LockSnapshotInput{SnapshotId: aws.String(th.completed), LockMode: types.LockModeGovernance})
			return err
		}},
		{"tag a missing volume", "InvalidVolume.NotFound", tag(th, noVolume, "a", "b")},
		{"tag with a reserved key", "InvalidParameterValue", tag(th, th.free, "AWS:a", "b")},
		{"tag with a long key", "InvalidParameterValue", tag(th, th.free, strings.Repeat("k", 129), "b")},
		{"tag with a long value", "InvalidParameterValue", tag(th, th.free, "k", strings.Repeat("v", 257))},
		{"too many tags", "TagLimitExceeded", tag(th, th.free, manyTags(51)...)},
		{"an action of something else", "InvalidAction", func(ctx context.Context) error {
			_, err := e.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.call(t.Context())
			wantCode(t, err, c.code)
			var response *awshttp.ResponseError
			if !errors.As(err, &response) || response.ServiceRequestID() == "" || response.HTTPStatusCode() != http.StatusBadRequest {
				t.Fatalf("want status 400 and a request id, got %v", err)
			}
		})
	}
}

func attach(th things, volume, instance, device string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := th.ec2.AttachVolume(ctx, &ec2.AttachVolumeInput{
			VolumeId: aws.String(volume), InstanceId: aws.String(instance), Device: aws.String(device),
		})
		return err
	}
}

func snapshots(th things, instance string, noBoot bool, exclude ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := th.ec2.CreateSnapshots(ctx, &ec2.CreateSnapshotsInput{InstanceSpecification: &types.InstanceSpecification{
			InstanceId: aws.String(instance), ExcludeBootVolume: aws.Bool(noBoot), ExcludeDataVolumeIds: exclude,
		}})
		return err
	}
}

func copyOf(th things, from, snapshot string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := th.ec2.CopySnapshot(ctx, &ec2.CopySnapshotInput{SourceRegion: aws.String(from), SourceSnapshotId: aws.String(snapshot)})
		return err
	}
}

func tag(th things, id string, pairs ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := th.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: tagList(pairs...)})
		return err
	}
}

func manyTags(n int) []string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("key-%d", i), "v")
	}
	return pairs
}

func filter(name string, values ...string) []types.Filter {
	return []types.Filter{{Name: aws.String(name), Values: values}}
}
