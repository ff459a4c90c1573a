package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// slotsAtOnce bounds how many due times one account goes through; the next goes on.
	slotsAtOnce = 5000
	// accountGrace is how much later than its window nobody starts a run any more.
	accountGrace = 5 * time.Minute
)

// Account fills in the due times of all schedules of which no run has told, once no run can
// come any more, and ends those of runs that are gone. It may repeat.
func (s *Service) Account(ctx context.Context) error {
	st, err := s.definitions(ctx)
	if err != nil {
		return s.ignoreUnused(err)
	}
	defined, err := repository.ReadSchedules(ctx, st, s.place())
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range defined {
		if r, err := s.check(&d.Schedule); err == nil && !d.Damaged {
			errs = append(errs, s.accountOne(ctx, st, d, &r))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) accountOne(ctx context.Context, st store.Store, d *repository.ScheduleDefinition, r *rules) error {
	err := repository.ChangeScheduleRuns(ctx, st, d, func(runs *repository.ScheduleRuns) (bool, error) {
		before := runs.Accounted
		ended, err := s.endLostRuns(ctx, d, runs, contract.Run{})
		filled := fillPassedSlots(runs, d, r, s.now())
		return ended || filled, errors.Join(err, s.findUnrecorded(ctx, d, runs, before))
	})
	if err != nil {
		return fmt.Errorf("account for the due times of schedule %s: %w", d.Name, err)
	}
	return nil
}

// accountUntil accounts for all due times before a definition changes. Times are whole seconds: what
// was due in the second in which a pause ends had passed before, and Temporal does not start it.
func (s *Service) accountUntil(ctx context.Context, st store.Store, d *repository.ScheduleDefinition, until time.Time) error {
	if d.Paused() {
		until = until.Add(1)
	}
	r, err := s.check(&d.Schedule)
	return repository.ChangeScheduleRuns(ctx, st, d, func(runs *repository.ScheduleRuns) (bool, error) {
		if err == nil {
			if _, err := s.endLostRuns(ctx, d, runs, contract.Run{}); err != nil {
				return false, err
			}
			fillSlots(runs, d, &r, until, until)
		}
		runs.Accounted = until.Add(-1) // what is due at that very time is the new definition's
		return true, nil
	})
}

// fillPassedSlots accounts for the due times of which no run can come any more.
func fillPassedSlots(runs *repository.ScheduleRuns, d *repository.ScheduleDefinition, r *rules, now time.Time) bool {
	return fillSlots(runs, d, r, now.Add(-r.window(runs.Longest)-r.jitter-accountGrace), now)
}

// fillSlots accounts for the due times before an instant that have no slot yet, as far as is known
// now. It tells whether anything was added.
func fillSlots(runs *repository.ScheduleRuns, d *repository.ScheduleDefinition, r *rules, until, now time.Time) bool {
	due := r.timing.Between(runs.Accounted, until.Add(-1), slotsAtOnce)
	for _, at := range due {
		if runs.Find(at) == nil {
			runs.Note(unstarted(runs, d, r, at, now))
		}
	}
	switch {
	case len(due) == slotsAtOnce:
		runs.Accounted = due[len(due)-1]
	case len(due) > 0:
		runs.Accounted = until.Add(-1).UTC()
	}
	return len(due) > 0
}

// unstarted tells why no run was started for a due time.
func unstarted(runs *repository.ScheduleRuns, d *repository.ScheduleDefinition, r *rules, at, now time.Time) contract.ScheduleSlot {
	slot := contract.ScheduleSlot{Due: at, Outcome: contract.SlotMissed}
	if d.Paused() && !at.Before(d.PausedSince) {
		slot.Outcome, slot.Reason = contract.SlotPaused, "paused since "+d.PausedSince.UTC().Format(time.RFC3339)
		return slot
	}
	for i := len(runs.Slots) - 1; i >= 0; i-- {
		s := &runs.Slots[i]
		if s.Started.IsZero() || s.Started.After(at.Add(r.jitter)) || !goesOnAt(s, at) {
			continue
		}
		slot.Outcome, slot.Reason = contract.SlotSkipped, "overlap: the run of "+s.Due.UTC().Format(time.RFC3339)+" went on"
		return slot
	}
	window := r.window(runs.Longest)
	if later := runInPlaceOf(runs, at, window+r.jitter); later != nil {
		slot.Reason = "later run: nobody was there to start it, and after the outage the run of " + later.Due.UTC().Format(time.RFC3339) + " took its place"
		return slot
	}
	if now.Sub(at) <= window+r.jitter {
		slot.Reason = "change: no run of it had begun when the schedule was changed at " + now.UTC().Format(time.RFC3339) + ", and none has since"
		return slot
	}
	slot.Reason = fmt.Sprintf("outage: Temporal or all workers were away for longer than the catch-up window of %s", window)
	return slot
}

// closesWithin bounds how long after a run's end Temporal still takes it for running: it writes its
// record first, and then Temporal's schedule has to learn of it.
const closesWithin = 5 * time.Second

// goesOnAt tells that to Temporal a run has not ended before a time. Of one that was lost with Temporal
// nobody knows when it ended.
func goesOnAt(s *contract.ScheduleSlot, at time.Time) bool {
	if s.Ended.IsZero() {
		return s.Outcome == contract.SlotRunning
	}
	return !s.Ended.Add(closesWithin).Before(at)
}

// runInPlaceOf is the run of a later due time that began while one could still have begun for at.
func runInPlaceOf(runs *repository.ScheduleRuns, at time.Time, window time.Duration) *contract.ScheduleSlot {
	for i := range runs.Slots {
		s := &runs.Slots[i]
		if s.Due.After(at) && !s.Triggered && !s.Started.IsZero() && s.Started.Sub(at) <= window {
			return s
		}
	}
	return nil
}

// endLostRuns ends the slots whose runs are gone without a word: terminated, or lost with
// Temporal. The run that asks is not gone.
func (s *Service) endLostRuns(ctx context.Context, d *repository.ScheduleDefinition, runs *repository.ScheduleRuns, own contract.Run) (changed bool, err error) {
	for i := len(runs.Slots) - 1; i >= 0; i-- {
		slot := runs.Slots[i]
		if slot.Outcome != contract.SlotRunning || slot.Run.Is(own) {
			continue
		}
		running, err := s.Temporal.Running(ctx, slot.Run)
		if err != nil {
			return changed, err
		}
		if running {
			continue
		}
		done, err := s.of().stored(ctx, d, slot)
		if err != nil {
			return changed, err
		}
		if slot.Ended, err = s.Temporal.Ended(ctx, slot.Run); err != nil {
			return changed, err
		}
		runs.Note(lostSlot(slot, done))
		changed = true
	}
	return changed, nil
}

// lookupsAtOnce bounds how many backups one account looks for.
const lookupsAtOnce = 50

// findUnrecorded looks whether due times that seem to be missed have left something: where a store
// honours no conditions, a record may be lost.
func (s *Service) findUnrecorded(ctx context.Context, d *repository.ScheduleDefinition, runs *repository.ScheduleRuns, after time.Time) error {
	lookups := 0
	for _, slot := range slices.Backward(slices.Clone(runs.Slots)) {
		if !slot.Due.After(after) || lookups == lookupsAtOnce {
			return nil
		}
		if slot.Outcome != contract.SlotMissed {
			continue
		}
		lookups++
		done, err := s.of().stored(ctx, d, slot)
		if err != nil {
			return err
		}
		if done != nil {
			runs.Note(*done)
		}
	}
	return nil
}

// lostSlot is a slot whose run is gone, by what it has left, if anything.
func lostSlot(slot contract.ScheduleSlot, done *contract.ScheduleSlot) contract.ScheduleSlot {
	if done != nil {
		return *done
	}
	slot.Outcome, slot.Reason = contract.SlotFailed, "its run ended without a word: it was terminated, or Temporal has lost it"
	return slot
}
