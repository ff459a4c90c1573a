package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
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
	defined, err := repository.ReadSchedules(ctx, st, s.Config.Cluster)
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
		ended, err := s.endLostRuns(ctx, d, runs)
		filled := fillSlots(runs, d, r, s.now().Add(-r.window(runs.Longest)-r.jitter-accountGrace))
		return ended || filled, errors.Join(err, s.findUnrecorded(ctx, d, runs, before))
	})
	if err != nil {
		return fmt.Errorf("account for the due times of schedule %s: %w", d.Name, err)
	}
	return nil
}

// accountUntil accounts for all due times before a definition changes.
func (s *Service) accountUntil(ctx context.Context, st store.Store, d *repository.ScheduleDefinition, until time.Time) error {
	r, err := s.check(&d.Schedule)
	return repository.ChangeScheduleRuns(ctx, st, d, func(runs *repository.ScheduleRuns) (bool, error) {
		if err == nil {
			fillSlots(runs, d, &r, until)
		}
		runs.Accounted = until.Add(-1) // what is due at that very time is the new definition's
		return true, nil
	})
}

// fillSlots accounts for the due times before an instant that have no slot yet. It tells
// whether anything was added.
func fillSlots(runs *repository.ScheduleRuns, d *repository.ScheduleDefinition, r *rules, until time.Time) bool {
	due := r.timing.Between(runs.Accounted, until.Add(-1), slotsAtOnce)
	for _, at := range due {
		if runs.Find(at) == nil {
			runs.Note(unstarted(runs, d, r, at))
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
func unstarted(runs *repository.ScheduleRuns, d *repository.ScheduleDefinition, r *rules, at time.Time) contract.ScheduleSlot {
	slot := contract.ScheduleSlot{Due: at, Outcome: contract.SlotMissed}
	if d.Paused() && !at.Before(d.PausedSince) {
		slot.Outcome, slot.Reason = contract.SlotPaused, "paused since "+d.PausedSince.UTC().Format(time.RFC3339)
		return slot
	}
	for i := len(runs.Slots) - 1; i >= 0; i-- {
		s := &runs.Slots[i]
		if s.Started.IsZero() || s.Started.After(at) || !s.Ended.IsZero() && s.Ended.Before(at) {
			continue
		}
		slot.Outcome, slot.Reason = contract.SlotSkipped, "overlap: the run of "+s.Due.UTC().Format(time.RFC3339)+" went on"
		return slot
	}
	slot.Reason = fmt.Sprintf("outage: Temporal or all workers were away for longer than the catch-up window of %s, or a later run took its place", r.window(runs.Longest))
	return slot
}

// endLostRuns ends the slots whose runs are gone without a word: terminated, or lost with
// Temporal.
func (s *Service) endLostRuns(ctx context.Context, d *repository.ScheduleDefinition, runs *repository.ScheduleRuns) (changed bool, err error) {
	for i := len(runs.Slots) - 1; i >= 0; i-- {
		slot := runs.Slots[i]
		if slot.Outcome != contract.SlotRunning {
			continue
		}
		running, err := s.Temporal.Running(ctx, slot.Run)
		if err != nil {
			return changed, err
		}
		if running {
			continue
		}
		done, err := s.storedBackup(ctx, d, slot.Due)
		if err != nil {
			return changed, err
		}
		slot = endedSlot(slot, done)
		runs.Note(slot)
		changed = true
	}
	return changed, nil
}

// lookupsAtOnce bounds how many backups one account looks for.
const lookupsAtOnce = 50

// findUnrecorded looks whether due times that seem to be missed have a backup: where a store
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
		done, err := s.storedBackup(ctx, d, slot.Due)
		if err != nil {
			return err
		}
		if done != nil {
			runs.Note(endedSlot(slot, done))
		}
	}
	return nil
}

// endedSlot is a slot whose run is gone, by the backup that it has made, if any.
func endedSlot(slot contract.ScheduleSlot, done *velerov1.Backup) contract.ScheduleSlot {
	if done == nil {
		slot.Outcome, slot.Reason = contract.SlotFailed, "its run ended without a word: it was terminated, or Temporal has lost it"
		return slot
	}
	entry := repository.EntryOf(done, 0)
	slot.Outcome, slot.Reason, slot.Backup, slot.Phase = contract.SlotRan, "", entry.Name, string(entry.Phase)
	slot.Started, slot.Ended = entry.Started, entry.Completed
	return slot
}

// storedBackup is the backup of a due time, nil where there is none.
func (s *Service) storedBackup(ctx context.Context, d *repository.ScheduleDefinition, due time.Time) (*velerov1.Backup, error) {
	_, st, err := s.Locations.Get(ctx, d.Spec.Template.StorageLocation)
	if err != nil {
		return nil, err
	}
	doc := new(velerov1.Backup)
	err = repository.GetJSON(ctx, st, layout.Backup{Name: d.BackupName(due)}.Metadata(), doc)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return doc, err
}
