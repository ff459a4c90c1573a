package schedule

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Measure is a schedule in figures, for those who watch whether its backups are made, or its drills
// pass: what is said of a good backup is said of a drill that has passed.
type Measure struct {
	Name string
	// Valid tells that the worker can carry it out. One whose document cannot be read has no other
	// figures.
	Valid bool
	// NextDue is the first due time without a good backup: it stays in the past until there is
	// one. Due times of a pause do not count.
	NextDue time.Time
	// Interval is the time from NextDue to the due time after it.
	Interval time.Duration
	// LastSuccess is when the data of the last good backup was taken, zero for never.
	LastSuccess time.Time
	// Counts are how many due times had each outcome.
	Counts map[string]int64
}

// Measures gives the figures of the schedules that are not paused. One that is not valid any more,
// since its location is gone for instance, still has its due times: no good backup is made for them.
// It changes nothing.
func (s *Service) Measures(ctx context.Context) ([]Measure, error) {
	_, st, err := s.Locations.Get(ctx, "")
	if err != nil {
		return nil, err
	}
	defined, err := repository.ReadSchedules(ctx, st, s.place())
	if err != nil {
		return nil, err
	}
	var all []Measure
	for _, name := range slices.Sorted(maps.Keys(defined)) {
		d := defined[name]
		if d.Paused() {
			continue
		}
		m, err := s.measure(ctx, st, d)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (s *Service) measure(ctx context.Context, st store.Store, d *repository.ScheduleDefinition) (Measure, error) {
	m := Measure{Name: d.Name}
	if d.Damaged {
		return m, nil
	}
	r, err := s.check(&d.Schedule)
	m.Valid = err == nil
	runs, err := repository.ReadScheduleRuns(ctx, st, d)
	if err != nil {
		return m, err
	}
	if m.Valid {
		fillPassedSlots(runs, d, &r, s.now())
	}
	m.Counts = runs.Counts
	if r.timing.String() != "" { // else its cron string cannot be read
		m.NextDue = r.timing.Next(provenUntil(d, runs))
	}
	if !m.NextDue.IsZero() {
		m.Interval = r.timing.Next(m.NextDue).Sub(m.NextDue)
	}
	if runs.LastSuccess != nil {
		m.LastSuccess = runs.LastSuccess.Started
	}
	return m, nil
}

// provenUntil is up to when no due time lacks a backup: the last one that has a good one, or
// that fell into a pause, or the creation. A run that somebody asked for counts as of its start.
func provenUntil(d *repository.ScheduleDefinition, runs *repository.ScheduleRuns) time.Time {
	at := d.Created
	if last := runs.LastSuccess; last != nil {
		due := last.Due
		if last.Triggered {
			due = last.Started
		}
		at = latest(at, due)
	}
	for _, slot := range slices.Backward(runs.Slots) {
		if slot.Outcome == contract.SlotPaused {
			return latest(at, slot.Due)
		}
	}
	return at
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
