package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Begin decides for which due time a run is and whether it does anything. After an outage that
// is the last one that has passed, and those before are missed: of a schedule one run starts,
// however many were due. It may repeat: the slot is the run's own then.
func (s *Service) Begin(ctx context.Context, in contract.BeginSlotInput) (contract.BegunSlot, error) {
	st, err := s.definitions(ctx)
	if err != nil {
		return contract.BegunSlot{}, err
	}
	d, err := repository.ReadSchedule(ctx, st, s.place(), in.Schedule)
	if errors.Is(err, store.ErrNotFound) {
		return contract.BegunSlot{Slot: contract.ScheduleSlot{Due: in.Due, Outcome: contract.SlotSkipped, Reason: "the schedule was deleted"}}, nil
	}
	if err != nil {
		return contract.BegunSlot{}, err
	}
	r, err := s.check(&d.Schedule)
	if err != nil {
		return contract.BegunSlot{}, s.beginInvalid(ctx, st, d, in, err)
	}
	out := contract.BegunSlot{}
	err = repository.ChangeScheduleRuns(ctx, st, d, func(runs *repository.ScheduleRuns) (bool, error) {
		out.Slot, err = s.decide(ctx, d, &r, runs, in)
		if err != nil {
			return false, err
		}
		if !out.Slot.Triggered {
			runs.Note(out.Slot) // those before it may say that it took their place
			if _, err := s.endLostRuns(ctx, d, runs, in.Run); err != nil {
				return false, err
			}
			fillSlots(runs, d, &r, out.Slot.Due, in.Now)
		}
		if out.Slot.Outcome == contract.SlotRunning && out.Slot.Run.Is(in.Run) {
			err = s.of().plan(ctx, &out, d, &r, runs)
		}
		runs.Note(out.Slot)
		return true, err
	})
	if err != nil {
		return contract.BegunSlot{}, fmt.Errorf("begin a run of schedule %s: %w", in.Schedule, err)
	}
	return out, nil
}

// beginInvalid records that a due run was refused.
func (s *Service) beginInvalid(ctx context.Context, st store.Store, d *repository.ScheduleDefinition, in contract.BeginSlotInput, cause error) error {
	err := repository.ChangeScheduleRuns(ctx, st, d, func(runs *repository.ScheduleRuns) (bool, error) {
		runs.Note(contract.ScheduleSlot{Due: in.Due, Outcome: contract.SlotFailed, Reason: cause.Error(), Started: in.Now, Ended: in.Now, Run: in.Run})
		return true, nil
	})
	return errors.Join(cause, err)
}

// decide tells what a run does.
func (s *Service) decide(ctx context.Context, d *repository.ScheduleDefinition, r *rules, runs *repository.ScheduleRuns, in contract.BeginSlotInput) (contract.ScheduleSlot, error) {
	slot := contract.ScheduleSlot{Due: in.Due.UTC(), Outcome: contract.SlotRunning, Started: in.Now.UTC(), Run: in.Run}
	window := r.window(runs.Longest)
	if isDue := r.timing.Next(slot.Due.Add(-time.Second)).Equal(slot.Due); isDue {
		slot.Due = r.lastDue(slot.Due, in.Now, window)
	} else { // unless it was due before the schedule was changed
		known := runs.Find(slot.Due)
		slot.Triggered = known == nil || known.Triggered
	}
	if known := runs.Find(slot.Due); known != nil {
		taken, err := s.isTaken(ctx, known, in.Run)
		if err != nil || taken {
			return *known, err
		}
	}
	if done, err := s.of().stored(ctx, d, slot); err != nil || done != nil {
		if err != nil {
			return slot, err
		}
		return *done, nil
	}
	late := in.Now.Sub(slot.Due)
	switch {
	case slot.Triggered:
	case d.Paused():
		return unbegun(slot, contract.SlotPaused, "paused since "+d.PausedSince.UTC().Format(time.RFC3339)), nil
	case late > window+r.jitter:
		return unbegun(slot, contract.SlotMissed, fmt.Sprintf("catch-up: it would have begun %s late, and its catch-up window is %s", late.Round(time.Second), window)), nil
	}
	return slot, nil
}

func unbegun(slot contract.ScheduleSlot, outcome, reason string) contract.ScheduleSlot {
	slot.Outcome, slot.Reason = outcome, reason
	slot.Started = time.Time{}
	return slot
}

// isTaken tells that a slot has its outcome, or a run, which may be the one that asks. That no run has
// come is no outcome for one that does: it waited for a worker, or for its jitter.
func (s *Service) isTaken(ctx context.Context, slot *contract.ScheduleSlot, run contract.Run) (bool, error) {
	switch {
	case slot.Run.Is(run):
		return true, nil
	case slot.Outcome == contract.SlotRunning:
		return s.Temporal.Running(ctx, slot.Run)
	case slot.Outcome == contract.SlotMissed, slot.Outcome == contract.SlotSkipped:
		return slot.Run.RunID != "", nil
	}
	return true, nil
}

// lastDue is the last due time from one on that has passed, with its jitter, and is not too long ago.
// The jitter ends before the next due time, and a run that begins earlier is not that of the last one.
func (r *rules) lastDue(due, now time.Time, window time.Duration) time.Time {
	from := due
	if begin := now.Add(-window); begin.After(from) {
		from = begin
	}
	previous := due
	for at := range r.timing.After(from) {
		if at.After(now) {
			break
		}
		previous, due = due, at
	}
	if due.Add(r.jitter).After(now) {
		return previous
	}
	return due
}

// End records how the run of a due time has ended, and gives its turn back. It may repeat.
func (s *Service) End(ctx context.Context, in contract.EndSlotInput) error {
	st, err := s.definitions(ctx)
	if err != nil {
		return err
	}
	if err := s.giveTurnBack(ctx, st, in.Slot.Run); err != nil {
		return err
	}
	d, err := repository.ReadSchedule(ctx, st, s.place(), in.Schedule)
	if errors.Is(err, store.ErrNotFound) {
		return nil // deleted meanwhile, with its record
	}
	if err != nil {
		return err
	}
	r, invalid := s.check(&d.Schedule)
	return repository.ChangeScheduleRuns(ctx, st, d, func(runs *repository.ScheduleRuns) (bool, error) {
		runs.Note(in.Slot)
		if invalid == nil && !r.bufferOne {
			fillSlots(runs, d, &r, in.Slot.Ended.Add(-r.jitter), in.Slot.Ended) // what was due meanwhile, Temporal has skipped
		}
		return true, nil
	})
}
