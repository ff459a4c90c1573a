package ebs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

const actionVolume = "CreateVolume"

// CreateVolume makes a volume from a snapshot, or finds the one that an earlier
// call for the same RestoreUID and PV made, which is then returned as it is. It
// returns before the volume is available. Failed volumes are not found.
func (l *Location) CreateVolume(ctx context.Context, r VolumeRequest) (Volume, error) {
	if err := r.validate(); err != nil {
		return Volume{}, err
	}
	all, err := l.restored.shareAnswer(ctx, r.RestoreUID, func(ctx context.Context) ([]Volume, error) {
		return l.VolumesTagged(ctx, map[string]string{TagRestoreUID: r.RestoreUID})
	})
	if err != nil {
		return Volume{}, classify("DescribeVolumes", "", err)
	}
	failed := 0
	for _, v := range all {
		switch {
		case v.Tags[TagPV] != r.PV:
		case v.State == VolumeFailed, v.State == VolumeDeleting, v.State == VolumeDeleted:
			failed++
		default:
			return v, nil
		}
	}
	return l.makeVolume(ctx, r, failed)
}

// IsRefusal tells that EC2 was asked for a volume and made none, as opposed to a
// failure of the look before it, which says nothing about the volume.
func IsRefusal(err error) bool {
	var e *awserr.Error
	return errors.As(err, &e) && e.Op == actionVolume
}

// deadTokens is how many volumes of a request may have been deleted before: their
// client tokens still stand for them.
const deadTokens = 8

func (l *Location) makeVolume(ctx context.Context, r VolumeRequest, failed int) (Volume, error) {
	for last := failed + deadTokens; ; failed++ {
		in := l.volumeInput(r, failed)
		out, err := l.ec2.CreateVolume(ctx, in)
		err = classify(actionVolume, r.Snapshot.ID, err)
		var e *awserr.Error
		switch {
		case err == nil:
			return fromMade(out), nil
		case errors.As(err, &e) && e.Code == "InvalidVolume.NotFound" && failed < last:
		default:
			return Volume{}, err
		}
	}
}

func fromMade(out *ec2.CreateVolumeOutput) Volume {
	return volumeFrom(types.Volume{
		VolumeId: out.VolumeId, VolumeType: out.VolumeType, AvailabilityZone: out.AvailabilityZone, Size: out.Size, Iops: out.Iops,
		Throughput: out.Throughput, Encrypted: out.Encrypted, KmsKeyId: out.KmsKeyId, State: out.State, Tags: out.Tags,
	})
}

func (r VolumeRequest) validate() error {
	switch {
	case r.RestoreUID == "" || r.PV == "":
		return awserr.Fail(actionVolume, r.Snapshot.ID, ErrInvalid, "restore UID and PV are required")
	case r.Zone == "":
		return awserr.Fail(actionVolume, r.Snapshot.ID, ErrInvalid, "no availability zone for PV %s", r.PV)
	case r.Snapshot.State != SnapshotCompleted:
		return awserr.Fail(actionVolume, r.Snapshot.ID, ErrState, "the snapshot is %s; only a completed one makes a volume", r.Snapshot.State)
	}
	return nil
}

func (l *Location) volumeInput(r VolumeRequest, failed int) *ec2.CreateVolumeInput {
	in := &ec2.CreateVolumeInput{
		AvailabilityZone: aws.String(r.Zone), SnapshotId: aws.String(r.Snapshot.ID), VolumeType: types.VolumeType(r.Type),
		ClientToken:       aws.String(clientToken(r, failed)),
		TagSpecifications: specification(types.ResourceTypeVolume, volumeTags(r, l.cluster)),
	}
	if r.SizeGiB > r.Snapshot.SizeGiB {
		in.Size = aws.Int32(r.SizeGiB)
	}
	if r.IOPS > 0 && takesIOPS(r.Type) {
		in.Iops = aws.Int32(r.IOPS)
	}
	if r.Throughput > 0 && r.Type == string(types.VolumeTypeGp3) {
		in.Throughput = aws.Int32(r.Throughput)
	}
	l.setEncryption(in, r)
	return in
}

// setEncryption: the location's key wins, as with Velero. Without any key named, EC2
// uses the snapshot's.
func (l *Location) setEncryption(in *ec2.CreateVolumeInput, r VolumeRequest) {
	key := r.KMSKeyID
	if l.kmsKeyID != "" {
		key = l.kmsKeyID
	}
	if key != "" {
		in.Encrypted, in.KmsKeyId = aws.Bool(true), aws.String(key)
	} else if r.Snapshot.Encrypted {
		in.Encrypted = aws.Bool(true)
	}
}

// takesIOPS: other types refuse the parameter, although EC2 describes them with one.
func takesIOPS(kind string) bool {
	switch types.VolumeType(kind) {
	case types.VolumeTypeIo1, types.VolumeTypeIo2, types.VolumeTypeGp3:
		return true
	}
	return false
}

// clientToken is the same for each try, so that EC2 makes one volume only; after
// a volume that failed it is another. EC2 takes 64 characters.
func clientToken(r VolumeRequest, failed int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", r.RestoreUID, r.PV, failed))
	return hex.EncodeToString(sum[:])
}
