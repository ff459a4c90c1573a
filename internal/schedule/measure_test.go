package schedule_test

import (
	"context"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
)

// measures are those of the only schedule, nil where it has none.
func (w *world) measure() *schedule.Measure {
	w.t.Helper()
	all, err := w.Measures(w.t.Context())
	if err != nil || len(all) > 1 {
		w.t.Fatal(all, err)
	}
	if len(all) == 0 {
		return nil
	}
	return &all[0]
}

// ran records a run of a schedule for a due time.
func (w *world) ran(name, due, phase string) {
	w.t.Helper()
	d, err := repository.ReadSchedule(w.t.Context(), w.st, layout.Schedules{Cluster: w.Config.Cluster}, name)
	if err != nil {
		w.t.Fatal(err)
	}
	err = repository.ChangeScheduleRuns(context.Background(), w.st, d, func(r *repository.ScheduleRuns) (bool, error) {
		r.Note(contract.ScheduleSlot{Due: at(due), Started: at(due).Add(time.Second), Ended: at(due).Add(time.Minute), Outcome: contract.SlotRan, Phase: phase})
		return true, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestMeasures: what is due stays due until there is a good backup, whatever the cron; a pause
// takes what falls into it, and the schedule, out of the account.
func TestMeasures(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a")) // at 02:00; it is Sunday noon
	check := func(step, due string, interval time.Duration) {
		t.Helper()
		m := w.measure()
		if m == nil || !m.NextDue.Equal(at(due)) || m.Interval != interval {
			t.Errorf("%s: %+v, want %s and %s", step, m, due, interval)
		}
	}
	check("new", "2026-03-02T02:00:00Z", 24*time.Hour)
	w.clock = at("2026-03-02T03:00:00Z")
	w.ran("a", "2026-03-02T02:00:00Z", "Completed")
	check("good", "2026-03-03T02:00:00Z", 24*time.Hour)
	w.clock = at("2026-03-04T03:00:00Z")
	w.ran("a", "2026-03-03T02:00:00Z", "PartiallyFailed")
	check("partial, then missed", "2026-03-03T02:00:00Z", 24*time.Hour)
	w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	if m := w.measure(); m != nil {
		t.Errorf("a paused schedule has %+v", m)
	}
	w.clock = at("2026-03-20T12:00:00Z")
	w.change(contract.ChangeSchedulesInput{Unpause: []string{"a"}})
	check("after a pause", "2026-03-21T02:00:00Z", 24*time.Hour)
	w.change(contract.ChangeSchedulesInput{Delete: []string{"a"}})
	if m := w.measure(); m != nil {
		t.Errorf("a deleted schedule has %+v", m)
	}
	w.apply(daily("b", cron("0 2 * * 1-5"))) // it is Friday
	check("on working days", "2026-03-23T02:00:00Z", 24*time.Hour)
	w.clock = at("2026-03-23T02:30:00Z")
	w.ran("b", "2026-03-26T02:00:00Z", "Completed")
	check("before the weekend", "2026-03-27T02:00:00Z", 72*time.Hour)
}
