package ebs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// DeleteSnapshot deletes a snapshot of this account. It looks first: what is not
// there is Gone, and what lacks one of the must tags is refused with ErrNotOurs
// (a value of "" asks for the key only; no must tags are refused with
// ErrInvalid). A snapshot that is locked, or that an AMI uses, or that the
// Recycle Bin keeps, is Retained. Repeating it is safe.
func (l *Location) DeleteSnapshot(ctx context.Context, id string, must map[string]string) (Deletion, error) {
	found, err := l.own(ctx, []string{id})
	if err != nil {
		return Deletion{}, err
	}
	s, there := found[id]
	if !there {
		return l.inBin(ctx, id, Gone)
	}
	if err := ours("DeleteSnapshot", id, s.Tags, must); err != nil {
		return Deletion{}, err
	}
	_, err = call(ctx, l, "DeleteSnapshot", id, func(ctx context.Context) (*ec2.DeleteSnapshotOutput, error) {
		return l.ec2.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: aws.String(id)})
	})
	switch {
	case err == nil:
		return l.inBin(ctx, id, Deleted)
	case errors.Is(err, ErrNotFound):
		return l.inBin(ctx, id, Gone)
	}
	return l.kept(ctx, id, err)
}

// kept tells whether a snapshot that was not deleted is locked or used by an AMI.
// AWS publishes no error code for the former, so the lock itself is looked at.
func (l *Location) kept(ctx context.Context, id string, why error) (Deletion, error) {
	var e *awserr.Error
	if !errors.As(why, &e) || errors.Is(why, ErrUnavailable) || errors.Is(why, ErrCredentials) || ctx.Err() != nil {
		return Deletion{}, why
	}
	if e.Code == "InvalidSnapshot.InUse" {
		return Deletion{Outcome: Retained, Reason: awserr.Brief(e.Cause)}, nil
	}
	reason, err := l.lock(ctx, id)
	switch {
	case err != nil:
		return lockedByCode(e)
	case reason != "":
		return Deletion{Outcome: Retained, Reason: reason}, nil
	}
	return Deletion{}, why
}

// lockedByCode is for roles that may not look at locks.
func lockedByCode(e *awserr.Error) (Deletion, error) {
	if strings.Contains(e.Code, "Locked") {
		return Deletion{Outcome: Retained, Reason: awserr.Brief(e.Cause)}, nil
	}
	return Deletion{}, e
}

func lockReason(s types.LockedSnapshotsInfo) string {
	reason := fmt.Sprintf("locked in %s mode", s.LockState)
	if s.LockExpiresOn != nil {
		reason += " until " + s.LockExpiresOn.UTC().Format(time.RFC3339)
	}
	return reason
}

// ours refuses what does not carry the tags.
func ours(action, id string, tags, must map[string]string) error {
	if len(must) == 0 {
		return awserr.Fail(action, id, ErrInvalid, "name the tags that tell it is ours")
	}
	if key := lacking(tags, must); key != "" {
		return awserr.Fail(action, id, ErrNotOurs, "its tag %s is %q, not %q", key, tags[key], must[key])
	}
	return nil
}

// inBin tells whether the Recycle Bin keeps what is not there any more. Without
// permission to look, or in a Region without a bin, it is what it seems.
func (l *Location) inBin(ctx context.Context, id string, otherwise Outcome) (Deletion, error) {
	out, err := call(ctx, l, "ListSnapshotsInRecycleBin", id, func(ctx context.Context) (*ec2.ListSnapshotsInRecycleBinOutput, error) {
		return l.ec2.ListSnapshotsInRecycleBin(ctx, &ec2.ListSnapshotsInRecycleBinInput{SnapshotIds: []string{id}})
	})
	switch {
	case errors.Is(err, ErrDenied), errors.Is(err, ErrNotFound), errors.Is(err, ErrInvalid):
		return Deletion{Outcome: otherwise}, nil
	case err != nil:
		return Deletion{}, err
	}
	for _, s := range out.Snapshots {
		if aws.ToString(s.SnapshotId) == id {
			return Deletion{Outcome: Retained, Reason: binReason(s.RecycleBinExitTime)}, nil
		}
	}
	return Deletion{Outcome: otherwise}, nil
}

func binReason(until *time.Time) string {
	if until == nil {
		return "kept in the Recycle Bin by a retention rule of the account"
	}
	return fmt.Sprintf("kept in the Recycle Bin by a retention rule of the account until %s", until.UTC().Format(time.RFC3339))
}

// DeleteVolume deletes a volume under the same rules as DeleteSnapshot. One that
// is attached, or being attached, is Retained.
func (l *Location) DeleteVolume(ctx context.Context, id string, must map[string]string) (Deletion, error) {
	found, err := l.Volumes(ctx, []string{id})
	if err != nil {
		return Deletion{}, err
	}
	v, there := found[id]
	if !there || slices.Contains([]string{VolumeDeleting, VolumeDeleted}, v.State) {
		return Deletion{Outcome: Gone}, nil
	}
	if err := ours("DeleteVolume", id, v.Tags, must); err != nil {
		return Deletion{}, err
	}
	if v.Instance != "" {
		return Deletion{Outcome: Retained, Reason: "attached to instance " + v.Instance}, nil
	}
	_, err = call(ctx, l, "DeleteVolume", id, func(ctx context.Context) (*ec2.DeleteVolumeOutput, error) {
		return l.ec2.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: aws.String(id)})
	})
	var e *awserr.Error
	switch {
	case err == nil:
		return Deletion{Outcome: Deleted}, nil
	case errors.Is(err, ErrNotFound):
		return Deletion{Outcome: Gone}, nil
	case errors.As(err, &e) && e.Code == "VolumeInUse":
		return Deletion{Outcome: Retained, Reason: awserr.Brief(e.Cause)}, nil
	}
	return Deletion{}, err
}
