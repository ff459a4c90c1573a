package drill

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/drill/notify"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
)

// Notify tells one who is to be told how a drill ended, in the words of its evidence, or that it has
// none. It may
// repeat: a receiver of webhooks gets the same idempotency key again, an Event is made once. An
// error quotes no URL.
func (s *Service) Notify(ctx context.Context, in contract.NotifyDrillInput) error {
	sender := notify.Sender{Kube: s.Kube, Namespace: s.Namespace}
	if in.Unsigned != "" {
		return sender.Send(ctx, in.Notification, notify.MessageWithout(in.Result, s.Config.Cluster, in.Unsigned))
	}
	e, err := s.evidenceOf(ctx, in.Result)
	if err != nil {
		return err
	}
	return sender.Send(ctx, in.Notification, notify.MessageOf(&e.Statement.Predicate, e.Digest))
}

// evidenceOf reads the evidence of a drill that has ended, where Sign has left it.
func (s *Service) evidenceOf(ctx context.Context, res contract.DrillResult) (evidence.Evidence, error) {
	if res.Key == "" {
		e, err := evidence.Read([]byte(res.Evidence))
		if err != nil {
			err = failure.Invalid("the evidence of drill %s: %w", res.Name, err)
		}
		return e, err
	}
	_, st, err := s.Locations.Get(ctx, res.Location)
	if err != nil {
		return evidence.Evidence{}, err
	}
	f, err := drills.Read(ctx, st, s.Config.Cluster, res.Sequence)
	if err != nil {
		return evidence.Evidence{}, err
	}
	if id := f.Evidence.Statement.Predicate.Drill.ID; id != res.ID {
		return evidence.Evidence{}, failure.Invalid("%s is the evidence of drill %s, not of %s", f.Key, id, res.ID)
	}
	return f.Evidence, nil
}
