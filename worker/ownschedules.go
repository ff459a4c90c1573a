package main

import (
	"context"
	"log/slog"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// ownSchedule is a schedule of the product's own in Temporal. A worker that may not write schedules
// does all else.
type ownSchedule struct {
	id            string
	put           func(context.Context) error // makes or renews it, or removes what is not wanted; may repeat
	wanted        bool
	without, hint string // what does not happen by itself without it, or still does; what to do then

	done bool   // put has succeeded
	told string // the last cause that was told
}

// ownedSchedules are all of them, which every worker keeps: Temporal may lose them.
type ownedSchedules struct {
	all     []*ownSchedule
	isThere func(ctx context.Context, id string) (bool, error)
}

// ownSchedules are the collection of garbage, the verification and the rehearsals, as the configuration
// wants them. Where it says never of rehearsals, a schedule of backups may say otherwise.
func ownSchedules(cfg *config.Config, tc *temporal.Client) *ownedSchedules {
	const left = "delete the schedule there"
	garbage := &ownSchedule{id: contract.GarbageScheduleID(cfg.Cluster), put: tc.EnsureGarbageSchedule, wanted: true, without: "expired backups are not deleted by themselves", hint: "run 'lifeboat gc run'"}
	if cfg.Retention.Manual {
		garbage = &ownSchedule{id: garbage.id, put: tc.RemoveGarbageSchedule, without: "expired backups may still be deleted by themselves", hint: left}
	}
	verification := &ownSchedule{id: contract.VerificationScheduleID(cfg.Cluster), put: tc.EnsureVerificationSchedule, wanted: true, without: "stored backups are not verified by themselves", hint: "run 'lifeboat backup verify --all'"}
	if cfg.Verification.Manual {
		verification = &ownSchedule{id: verification.id, put: tc.RemoveVerificationSchedule, without: "stored backups may still be verified by themselves", hint: left}
	}
	ensure := func(ctx context.Context) error { return tc.EnsureRehearsalSchedule(ctx, cfg.Rehearsal.After) }
	rehearsals := &ownSchedule{id: contract.RehearsalsID(cfg.Cluster), put: ensure, wanted: true, without: "new backups are not rehearsed by themselves", hint: "run 'lifeboat backup rehearse'"}
	if !cfg.Rehearsal.Configured() {
		rehearsals = &ownSchedule{id: rehearsals.id, put: tc.RemoveRehearsalSchedule, without: "new backups may still be rehearsed by themselves", hint: left}
	}
	return &ownedSchedules{all: []*ownSchedule{garbage, rehearsals, verification}, isThere: tc.HasSchedule}
}

// watch keeps the schedules until the end of ctx.
func (o *ownedSchedules) watch(ctx context.Context, log *slog.Logger) {
	for poll.Wait(ctx, schedulesPeriod) == nil {
		o.keep(ctx, log)
	}
}

// keep makes what is not there, and tries again what could not be made. What stands in the way is
// told once, until it changes.
func (o *ownedSchedules) keep(ctx context.Context, log *slog.Logger) {
	limited, cancel := context.WithTimeout(ctx, schedulesTimeout)
	defer cancel()
	for _, s := range o.all {
		if s.done && !o.differs(limited, s) {
			continue
		}
		err := s.put(limited)
		if ctx.Err() != nil {
			return // the worker ends, which is no cause
		}
		s.done = err == nil
		if cause := failure.Text(err); cause != "" && cause != s.told {
			log.Warn(s.without, "cause", cause, "remedy", "let the worker's identity write schedules in this Temporal namespace, or "+s.hint)
		}
		s.told = failure.Text(err)
	}
}

// differs says that a schedule that was made is gone, or that another worker has made again what was
// removed: one of before a change of the configuration may run a little longer. A Temporal that does not
// answer is told by others.
func (o *ownedSchedules) differs(ctx context.Context, s *ownSchedule) bool {
	there, err := o.isThere(ctx, s.id)
	return err == nil && there != s.wanted
}
