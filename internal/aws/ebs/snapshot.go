package ebs

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
)

// Snapshot makes the volume's snapshot of the run uid, or finds the one that an
// earlier call made; one that ended in state "error" is not found. It returns
// when EC2 has accepted it: the point in time is fixed then, its data follows
// while it is pending. It waits for the account's limits until ctx ends.
func (l *Location) Snapshot(ctx context.Context, uid string, r Request) (Snapshot, error) {
	found, err := l.existingSnapshot(ctx, uid, r)
	switch {
	case err != nil:
		return Snapshot{}, err
	case found.ID != "":
		return l.completeTags(ctx, found, r)
	}
	res, err := l.reserve(ctx, []Volume{r.Volume}, quota.CreateSnapshot)
	if err != nil {
		return Snapshot{}, err
	}
	defer res.Release()
	return res.createSnapshot(ctx, uid, r)
}

// Snapshot is Location.Snapshot in reserved room.
func (r *Reservation) Snapshot(ctx context.Context, uid string, req Request) (Snapshot, error) {
	if found, err := r.location.existingSnapshot(ctx, uid, req); err != nil || found.ID != "" {
		return found, err
	}
	return r.createSnapshot(ctx, uid, req)
}

// existingSnapshot looks for the run's snapshot of the volume.
func (l *Location) existingSnapshot(ctx context.Context, uid string, r Request) (Snapshot, error) {
	if err := r.validate(uid); err != nil {
		return Snapshot{}, err
	}
	found, err := l.made.shareAnswer(ctx, uid, func(ctx context.Context) ([]Snapshot, error) {
		return l.Find(ctx, map[string]string{TagBackupUID: uid})
	})
	if err != nil {
		return Snapshot{}, classify("DescribeSnapshots", r.Volume.ID, err)
	}
	for _, s := range found {
		if s.State != SnapshotFailed && isOf(s, r) {
			s.Zone = r.Volume.Zone
			return s, nil
		}
	}
	return Snapshot{}, nil
}

// isOf: the same volume may stand behind two PVs; what has no PV yet was made by
// SnapshotInstance, which tags in a second step.
func isOf(s Snapshot, r Request) bool {
	pv := s.Tags[TagPV]
	return s.VolumeID == r.Volume.ID && (pv == "" || pv == r.Tags[TagPV])
}

// validate refuses requests whose snapshot could not be found again.
func (r Request) validate(uid string) error {
	switch {
	case r.Volume.ID == "":
		return awserr.Fail(quota.CreateSnapshot, r.PV, ErrInvalid, "the volume has no id")
	case uid == "" || r.Tags[TagBackupUID] != uid:
		return awserr.Fail(quota.CreateSnapshot, r.Volume.ID, ErrInvalid, "the tags must hold %s=%s", TagBackupUID, uid)
	case r.PV == "" || r.Tags[TagPV] != r.PV:
		return awserr.Fail(quota.CreateSnapshot, r.Volume.ID, ErrInvalid, "the tags must hold %s=%s", TagPV, r.PV)
	}
	return nil
}

// createSnapshot asks for a new one, in a slot of the reservation.
func (r *Reservation) createSnapshot(ctx context.Context, uid string, req Request) (Snapshot, error) {
	slots, err := r.TakeSlots(ctx, 1)
	if err != nil {
		return Snapshot{}, classify(quota.CreateSnapshot, req.Volume.ID, err)
	}
	defer slots.GiveBack()
	in := &ec2.CreateSnapshotInput{
		VolumeId: aws.String(req.Volume.ID), Description: aws.String("Created by lifeboat for PersistentVolume " + req.PV),
		TagSpecifications: specification(types.ResourceTypeSnapshot, req.Tags),
	}
	made, err := r.makeSnapshots(ctx, slots, quota.CreateSnapshot, req.Volume.ID, attempt{
		ask: func(ctx context.Context) ([]Snapshot, error) {
			out, err := r.location.ec2.CreateSnapshot(ctx, in, withoutRetries)
			if err != nil {
				return nil, err
			}
			return []Snapshot{fromCreated(out, req.Volume)}, nil
		},
		look: func(ctx context.Context) ([]Snapshot, error) {
			s, err := r.location.existingSnapshot(ctx, uid, req)
			if err != nil || s.ID == "" {
				return nil, err
			}
			return []Snapshot{s}, nil
		},
	})
	if err != nil {
		return Snapshot{}, err
	}
	slots.Created(forQuota(made))
	return made[0], nil
}

func fromCreated(out *ec2.CreateSnapshotOutput, v Volume) Snapshot {
	s := snapshotFrom(types.Snapshot{
		SnapshotId: out.SnapshotId, VolumeId: out.VolumeId, State: out.State, StateMessage: out.StateMessage, Progress: out.Progress,
		StartTime: out.StartTime, VolumeSize: out.VolumeSize, Encrypted: out.Encrypted, KmsKeyId: out.KmsKeyId, Tags: out.Tags,
	})
	s.Zone = v.Zone
	return s
}

// attempt is one way of making snapshots: ask makes them, look finds what an
// earlier ask made whose answer was lost.
type attempt struct {
	ask, look func(context.Context) ([]Snapshot, error)
}

// lostAnswers is how many answers in a row may be lost.
const lostAnswers = 4

// makeSnapshots asks until there is an answer. Limits are waited out. After a lost answer
// it looks first, since CreateSnapshot is not idempotent.
func (r *Reservation) makeSnapshots(ctx context.Context, slots *quota.Slots, action, id string, a attempt) ([]Snapshot, error) {
	for lost, refused := 0, 0; ; {
		if err := r.PayRequest(ctx, action); err != nil {
			return nil, classify(action, id, err)
		}
		made, err := a.ask(ctx)
		r.location.learnAnswer(action, err)
		code := awserr.Code(err)
		switch {
		case err == nil:
			return made, nil
		case isThrottle(code): // the bucket makes the next one wait
		case isLimit(code):
			refused++
			if err := slots.AwaitRetry(ctx, refusalOf(code), refused); err != nil {
				return nil, classify(action, id, err)
			}
			if code != codeApart {
				break
			}
			// Somebody has just made one: an earlier attempt whose snapshot EC2 did not show yet.
			if made, err := a.look(ctx); err != nil || len(made) > 0 {
				return made, err
			}
		case isAmbiguous(err) && lost < lostAnswers:
			lost++
			if made, err := lookUntilVisible(ctx, a.look); err != nil || len(made) > 0 {
				return made, err
			}
		default:
			return nil, classify(action, id, err)
		}
	}
}

func refusalOf(code string) quota.Refusal {
	switch code {
	case codePending:
		return quota.AccountFull
	case codeApart:
		return quota.TooSoon
	}
	return quota.VolumeBusy
}

// lookUntilVisible looks until what was made would show. That EC2 does not answer is an
// error only if it does not in the end.
func lookUntilVisible(ctx context.Context, look func(context.Context) ([]Snapshot, error)) (made []Snapshot, err error) {
	ended := lookAgain(ctx, func(ctx context.Context) (bool, error) {
		made, err = look(ctx)
		if errors.Is(err, ErrUnavailable) {
			return false, nil
		}
		return len(made) > 0, err
	})
	if ended != nil {
		return nil, ended
	}
	return made, err
}

const (
	// firstLook is the first pause between two looks, which doubles each time.
	firstLook = quota.LookAgainFor / 16
	// mostLooks fit into quota.LookAgainFor.
	mostLooks = 5
)

// lookAgain looks more and more seldom until look is done or fails, or what was made a
// moment ago would show.
func lookAgain(ctx context.Context, look wait.ConditionWithContextFunc) error {
	err := wait.ExponentialBackoffWithContext(ctx, wait.Backoff{Duration: firstLook, Factor: 2, Steps: mostLooks}, look)
	if wait.Interrupted(err) && ctx.Err() == nil {
		return nil
	}
	return err
}
