package ebs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
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
	made, failed := volumeOf(all, r.PV)
	if made != nil {
		return *made, nil
	}
	return l.makeVolume(ctx, r, failed)
}

// volumeOf is the volume of a PV among those of a restore, nil if there is none, and how
// many of its volumes failed or were deleted.
func volumeOf(all []Volume, pv string) (made *Volume, failed int) {
	for i, v := range all {
		switch {
		case v.Tags[TagPV] != pv:
		case v.State == VolumeFailed, v.State == VolumeDeleting, v.State == VolumeDeleted:
			failed++
		default:
			return &all[i], failed
		}
	}
	return nil, failed
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
		out, err := l.ec2.CreateVolume(ctx, l.volumeInput(r, failed))
		if err == nil {
			return fromMade(out), nil
		}
		err = classify(actionVolume, r.Snapshot.ID, err)
		made, lookErr := l.madeNevertheless(ctx, r, err)
		switch {
		case lookErr != nil:
			return Volume{}, lookErr
		case made != nil:
			return *made, nil
		case !isDeadToken(err) || failed == last:
			return Volume{}, err
		}
	}
}

// isDeadToken tells that the client token stands for a volume that was deleted. EC2 says
// so with either code: for about twelve hours it answers that the arguments differ
// (kubernetes-sigs/aws-ebs-csi-driver, pkg/cloud/cloud.go).
func isDeadToken(err error) bool {
	switch codeOf(err) {
	case "InvalidVolume.NotFound", "IdempotentParameterMismatch":
		return true
	}
	return false
}

// madeNevertheless looks for the volume after a refusal that EC2 also gives where an
// earlier call, whose answer was lost, made it: at the account's limit a repeated call is
// refused although its volume exists.
func (l *Location) madeNevertheless(ctx context.Context, r VolumeRequest, refusal error) (*Volume, error) {
	switch codeOf(refusal) {
	case "IdempotentParameterMismatch", "VolumeLimitExceeded", "MaxIOPSLimitExceeded":
	default:
		return nil, nil
	}
	if err := poll.Wait(ctx, quota.LookAgainFor); err != nil { // EC2 may not show it yet
		return nil, err
	}
	all, err := l.VolumesTagged(ctx, map[string]string{TagRestoreUID: r.RestoreUID})
	if err != nil {
		return nil, err
	}
	made, _ := volumeOf(all, r.PV)
	return made, nil
}

func codeOf(err error) string {
	if e := (*awserr.Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func fromMade(out *ec2.CreateVolumeOutput) Volume {
	return volumeFrom(types.Volume{
		VolumeId: out.VolumeId, VolumeType: out.VolumeType, AvailabilityZone: out.AvailabilityZone, Size: out.Size, Iops: out.Iops,
		Throughput: out.Throughput, Encrypted: out.Encrypted, KmsKeyId: out.KmsKeyId, State: out.State, Tags: out.Tags,
		MultiAttachEnabled: out.MultiAttachEnabled,
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
	case r.Snapshot.Archived:
		return awserr.Fail(actionVolume, r.Snapshot.ID, ErrState, "the snapshot is in the archive tier; restore it from there first (aws ec2 restore-snapshot-tier)")
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
	if r.MultiAttach && takesMultiAttach(r.Type) {
		in.MultiAttachEnabled = aws.Bool(true)
	}
	if rate := cmp.Or(r.InitializationRate, l.initializationRate); rate > 0 {
		in.VolumeInitializationRate = aws.Int32(rate)
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

func takesMultiAttach(kind string) bool {
	switch types.VolumeType(kind) {
	case types.VolumeTypeIo1, types.VolumeTypeIo2:
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
