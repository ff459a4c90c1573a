package ebs

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// The two actions that make snapshots, each with a request bucket of its own.
const (
	actionOne = "CreateSnapshot"
	actionAll = "CreateSnapshots"
)

// Snapshot makes the volume's snapshot of the run uid, or finds the one that an
// earlier call made; one that ended in state "error" is not found. It returns
// when EC2 has accepted it: the point in time is fixed then, its data follows
// while it is pending. It waits for the account's limits until ctx ends.
func (l *Location) Snapshot(ctx context.Context, uid string, r Request) (Snapshot, error) {
	found, err := l.existing(ctx, uid, r)
	switch {
	case err != nil:
		return Snapshot{}, err
	case found.ID != "":
		return l.tagged(ctx, found, r)
	}
	res, err := l.reserve(ctx, []Volume{r.Volume}, actionOne)
	if err != nil {
		return Snapshot{}, err
	}
	defer res.Release()
	return res.create(ctx, uid, r)
}

// Snapshot is Location.Snapshot in reserved room.
func (r *Reservation) Snapshot(ctx context.Context, uid string, req Request) (Snapshot, error) {
	if found, err := r.location.existing(ctx, uid, req); err != nil || found.ID != "" {
		return found, err
	}
	return r.create(ctx, uid, req)
}

// existing looks for the run's snapshot of the volume.
func (l *Location) existing(ctx context.Context, uid string, r Request) (Snapshot, error) {
	if err := r.check(uid); err != nil {
		return Snapshot{}, err
	}
	found, err := l.made.ask(ctx, uid, func(ctx context.Context) ([]Snapshot, error) {
		return l.Find(ctx, map[string]string{TagBackupUID: uid})
	})
	if err != nil {
		return Snapshot{}, classify("DescribeSnapshots", r.Volume.ID, err)
	}
	for _, s := range found {
		if s.State != SnapshotFailed && mine(s, r) {
			s.Zone = r.Volume.Zone
			return s, nil
		}
	}
	return Snapshot{}, nil
}

// mine: the same volume may stand behind two PVs; what has no PV yet was made by
// SnapshotInstance, which tags in a second step.
func mine(s Snapshot, r Request) bool {
	pv := s.Tags[TagPV]
	return s.VolumeID == r.Volume.ID && (pv == "" || pv == r.Tags[TagPV])
}

// check refuses requests whose snapshot could not be found again.
func (r Request) check(uid string) error {
	switch {
	case r.Volume.ID == "":
		return awserr.Fail(actionOne, r.PV, ErrInvalid, "the volume has no id")
	case uid == "" || r.Tags[TagBackupUID] != uid:
		return awserr.Fail(actionOne, r.Volume.ID, ErrInvalid, "the tags must hold %s=%s", TagBackupUID, uid)
	case r.PV == "" || r.Tags[TagPV] != r.PV:
		return awserr.Fail(actionOne, r.Volume.ID, ErrInvalid, "the tags must hold %s=%s", TagPV, r.PV)
	}
	return nil
}

// create asks for a new snapshot, in a slot of the reservation.
func (r *Reservation) create(ctx context.Context, uid string, req Request) (Snapshot, error) {
	c, err := r.claim(ctx, 1)
	if err != nil {
		return Snapshot{}, classify(actionOne, req.Volume.ID, err)
	}
	defer c.giveBack()
	in := &ec2.CreateSnapshotInput{
		VolumeId: aws.String(req.Volume.ID), Description: aws.String("Created by lifeboat for PersistentVolume " + req.PV),
		TagSpecifications: specification(types.ResourceTypeSnapshot, req.Tags),
	}
	made, err := c.insist(ctx, actionOne, req.Volume.ID, attempt{
		ask: func(ctx context.Context) ([]Snapshot, error) {
			out, err := r.location.ec2.CreateSnapshot(ctx, in, once)
			if err != nil {
				return nil, err
			}
			return []Snapshot{fromCreated(out, req.Volume)}, nil
		},
		look: func(ctx context.Context) ([]Snapshot, error) {
			return found(r.location.existing(ctx, uid, req))
		},
	})
	if err != nil {
		return Snapshot{}, err
	}
	c.spend(made)
	return made[0], nil
}

func found(s Snapshot, err error) ([]Snapshot, error) {
	if err != nil || s.ID == "" {
		return nil, err
	}
	return []Snapshot{s}, nil
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

const (
	// lostAnswers is how many answers in a row may be lost.
	lostAnswers = 4
	// visibleAfter is how long a new snapshot may take to show in a list.
	visibleAfter = 8 * time.Second
)

// insist asks until there is an answer. Limits are waited out. After a lost
// answer it looks first, since CreateSnapshot is not idempotent.
func (c *claim) insist(ctx context.Context, action, id string, a attempt) ([]Snapshot, error) {
	for lost, refused := 0, 0; ; {
		if err := c.r.pay(ctx, action); err != nil {
			return nil, classify(action, id, err)
		}
		made, err := a.ask(ctx)
		c.r.location.lane.told(action, err)
		switch {
		case err == nil:
			return made, nil
		case isThrottle(awserr.Code(err)): // the bucket makes the next one wait
		case isLimit(awserr.Code(err)):
			refused++
			if err := c.backOff(ctx, awserr.Code(err), refused); err != nil {
				return nil, classify(action, id, err)
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

// lookUntilVisible looks more and more seldom, until what was made would show.
func lookUntilVisible(ctx context.Context, look func(context.Context) ([]Snapshot, error)) ([]Snapshot, error) {
	for pause := visibleAfter / 16; ; pause *= 2 {
		made, err := look(ctx)
		if err != nil && !errors.Is(err, ErrUnavailable) || len(made) > 0 || pause > visibleAfter/2 {
			return made, err
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}
