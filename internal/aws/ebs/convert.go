package ebs

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func volumeFrom(v types.Volume) Volume {
	out := Volume{
		ID: aws.ToString(v.VolumeId), Type: string(v.VolumeType), Zone: aws.ToString(v.AvailabilityZone), SizeGiB: aws.ToInt32(v.Size),
		IOPS: aws.ToInt32(v.Iops), Throughput: aws.ToInt32(v.Throughput), Encrypted: aws.ToBool(v.Encrypted),
		KMSKeyID: aws.ToString(v.KmsKeyId), State: string(v.State), Tags: tagsFrom(v.Tags),
		MultiAttach: aws.ToBool(v.MultiAttachEnabled),
	}
	for _, a := range v.Attachments {
		if a.State != types.VolumeAttachmentStateDetached && out.Instance == "" {
			out.Instance = aws.ToString(a.InstanceId)
		}
	}
	return out
}

func snapshotFrom(s types.Snapshot) Snapshot {
	return Snapshot{
		ID: aws.ToString(s.SnapshotId), VolumeID: aws.ToString(s.VolumeId), State: string(s.State), StateMessage: aws.ToString(s.StateMessage),
		Zone: aws.ToString(s.AvailabilityZone), Progress: progress(aws.ToString(s.Progress)), Started: aws.ToTime(s.StartTime),
		SizeGiB: aws.ToInt32(s.VolumeSize), Encrypted: aws.ToBool(s.Encrypted), KMSKeyID: aws.ToString(s.KmsKeyId), Tags: tagsFrom(s.Tags),
		Archived: s.StorageTier == types.StorageTierArchive,
	}
}

// snapshotFromInfo takes what CreateSnapshots answers, which knows no key.
func snapshotFromInfo(s types.SnapshotInfo) Snapshot {
	return Snapshot{
		ID: aws.ToString(s.SnapshotId), VolumeID: aws.ToString(s.VolumeId), State: string(s.State), Zone: aws.ToString(s.AvailabilityZone),
		Progress: progress(aws.ToString(s.Progress)), Started: aws.ToTime(s.StartTime), SizeGiB: aws.ToInt32(s.VolumeSize),
		Encrypted: aws.ToBool(s.Encrypted), Tags: tagsFrom(s.Tags),
	}
}

// progress reads EC2's "42%". EC2 sends it empty at first.
func progress(text string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(text), "%"))
	if err != nil {
		return 0
	}
	return min(max(n, 0), 100)
}

func tagsFrom(tags []types.Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}

// toTags is sorted, so that equal requests are equal bytes.
func toTags(tags map[string]string) []types.Tag {
	out := make([]types.Tag, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return out
}

func specification(kind types.ResourceType, tags map[string]string) []types.TagSpecification {
	if len(tags) == 0 {
		return nil
	}
	return []types.TagSpecification{{ResourceType: kind, Tags: toTags(tags)}}
}
