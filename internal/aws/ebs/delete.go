package ebs

import (
	"cmp"
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
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
)

// DeleteSnapshot deletes a snapshot of this account. It looks first: what is not
// there is Gone, and what lacks one of the must tags is refused with ErrNotOurs
// (a value of "" asks for the key only; no must tags are refused with
// ErrInvalid). A snapshot that is locked, or that an AMI uses, or that the
// Recycle Bin shows, is Retained. The bin shows what was deleted a moment later:
// who has to know asks Keeps then. Repeating it is safe.
func (l *Location) DeleteSnapshot(ctx context.Context, id string, must map[string]string) (Deletion, error) {
	found, err := l.OwnSnapshots(ctx, []string{id})
	if err != nil {
		return Deletion{}, err
	}
	end, err := l.DeleteFound(ctx, found, id, must)
	if err == nil && end.Outcome == Deleted {
		return l.inRecycleBin(ctx, id, Deleted)
	}
	return end, err
}

// DeleteFound is DeleteSnapshot for one of many, by what OwnSnapshots has found of all of them, and
// for who asks InRecycleBin afterwards.
func (l *Location) DeleteFound(ctx context.Context, found map[string]Snapshot, id string, must map[string]string) (Deletion, error) {
	s, there := found[id]
	if !there {
		return l.inRecycleBin(ctx, id, Gone)
	}
	if err := requireTags("DeleteSnapshot", id, s.Tags, must); err != nil {
		return Deletion{}, err
	}
	err := l.deleteShown(ctx, s)
	if err == nil || errors.Is(err, ErrNotFound) {
		l.deleted.add(id)
	}
	switch {
	case err == nil:
		return Deletion{Outcome: Deleted}, nil
	case errors.Is(err, ErrNotFound):
		return l.inRecycleBin(ctx, id, Gone)
	}
	return l.retainedBecause(ctx, id, err)
}

// deleteShown deletes a snapshot that EC2 has shown. What is older than calls can differ about is not
// there any more if it is not found.
func (l *Location) deleteShown(ctx context.Context, s Snapshot) error {
	ask := func(ctx context.Context) error {
		_, err := l.ec2.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: aws.String(s.ID)})
		return classify("DeleteSnapshot", s.ID, err)
	}
	if time.Since(s.Started) > quota.VisibleWithin {
		return ask(ctx)
	}
	return askUntilShown(ctx, ask)
}

// askUntilShown asks again for something that EC2 has shown and does not find: it may not show what was
// made a moment ago to every call. What was deleted a moment ago costs that time, too.
func askUntilShown(ctx context.Context, ask func(context.Context) error) error {
	var answer error
	err := lookAgain(ctx, func(ctx context.Context) (bool, error) {
		answer = ask(ctx)
		return !errors.Is(answer, ErrNotFound), nil
	})
	return cmp.Or(err, answer)
}

// retainedBecause tells whether a snapshot that was not deleted is locked or used by an AMI.
// AWS publishes no error code for the former, so the lock itself is looked at.
func (l *Location) retainedBecause(ctx context.Context, id string, why error) (Deletion, error) {
	var e *awserr.Error
	if !errors.As(why, &e) || errors.Is(why, ErrUnavailable) || errors.Is(why, ErrCredentials) || ctx.Err() != nil {
		return Deletion{}, why
	}
	if e.Code == "InvalidSnapshot.InUse" {
		return Deletion{Outcome: Retained, Reason: awserr.Brief(e.Cause)}, nil
	}
	reason, err := l.lockOf(ctx, id)
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

// requireTags refuses what does not carry the tags.
func requireTags(action, id string, tags, must map[string]string) error {
	if len(must) == 0 {
		return awserr.Fail(action, id, ErrInvalid, "name the tags that tell it is ours")
	}
	if key := lacking(tags, must); key != "" {
		return awserr.Fail(action, id, ErrNotOurs, "its tag %s is %q, not %q", key, tags[key], must[key])
	}
	return nil
}

// inRecycleBin tells whether the Recycle Bin keeps what is not there any more. Without
// permission to look, or in a Region without a bin, it is what it seems.
func (l *Location) inRecycleBin(ctx context.Context, id string, otherwise Outcome) (Deletion, error) {
	out, err := l.ec2.ListSnapshotsInRecycleBin(ctx, &ec2.ListSnapshotsInRecycleBinInput{SnapshotIds: []string{id}})
	err = classify("ListSnapshotsInRecycleBin", id, err)
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
	if err := requireTags("DeleteVolume", id, v.Tags, must); err != nil {
		return Deletion{}, err
	}
	if v.Instance != "" {
		return Deletion{Outcome: Retained, Reason: "attached to instance " + v.Instance}, nil
	}
	err = askUntilShown(ctx, func(ctx context.Context) error { return l.askDeleteVolume(ctx, id) })
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

func (l *Location) askDeleteVolume(ctx context.Context, id string) error {
	_, err := l.ec2.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: aws.String(id)})
	return classify("DeleteVolume", id, err)
}
