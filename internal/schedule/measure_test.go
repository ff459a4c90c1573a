package schedule_test

import (
	"context"
	"maps"
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

// TestMeasuresOfDrills: of a schedule of drills a drill that has passed is what a good backup is.
func TestMeasuresOfDrills(t *testing.T) {
	w := newDrills(t)
	w.clock = at("2026-01-10T00:00:00Z")
	w.apply(monthly("a"))
	check := func(step, due string, last time.Time) {
		t.Helper()
		m := w.measure()
		if m == nil || !m.Valid || !m.NextDue.Equal(at(due)) || !m.LastSuccess.Equal(last) {
			t.Errorf("%s: %+v, want %s", step, m, due)
		}
	}
	check("new", "2026-02-02T12:00:00Z", time.Time{})
	passed := w.begin("a", "2026-02-02T12:00:00Z", "2026-02-02T12:00:01Z")
	w.end("a", passed, "Completed", "2026-02-02T12:30:00Z")
	check("passed", "2026-03-02T12:00:00Z", at("2026-02-02T12:00:01Z"))
	failed := w.begin("a", "2026-03-02T12:00:00Z", "2026-03-02T12:00:01Z")
	w.end("a", failed, "Failed", "2026-03-02T12:10:00Z")
	check("failed", "2026-03-02T12:00:00Z", at("2026-02-02T12:00:01Z"))
	triggered := w.begin("a", "2026-03-05T08:00:00Z", "2026-03-05T08:00:00Z")
	w.end("a", triggered, "Completed", "2026-03-05T08:20:00Z")
	check("triggered", "2026-04-02T12:00:00Z", at("2026-03-05T08:00:00Z"))
	w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	if m := w.measure(); m != nil {
		t.Errorf("a paused schedule has %+v", m)
	}
}

// TestMeasuresOfInvalid: for a schedule that can no longer be carried out a backup stays due, and so
// it is told; of one whose document cannot be read only that.
func TestMeasuresOfInvalid(t *testing.T) {
	w := newDrills(t)
	w.clock = at("2026-01-10T00:00:00Z")
	w.apply(monthly("a"))
	w.clock = at("2026-02-04T12:00:00Z")
	w.Config.Drills.SigningKey = nil
	m := w.measure()
	if m == nil || m.Valid || !m.NextDue.Equal(at("2026-02-02T12:00:00Z")) || m.Interval != 28*24*time.Hour {
		t.Errorf("without a key: %+v", m)
	}
	w.st.Set(layout.Schedules{Cluster: w.Config.Cluster, Drills: true}.Key("a"), []byte("{"))
	if m := w.measure(); m == nil || m.Valid || !m.NextDue.IsZero() {
		t.Errorf("its document is damaged: %+v", m)
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

// TestMeasuresCountResults: each due time counts once, by what became of it.
func TestMeasuresCountResults(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a")) // at 02:00; it is Sunday noon
	w.end("a", w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T02:00:01Z"), "Completed", "2026-03-02T02:10:00Z")
	w.end("a", w.begin("a", "2026-03-03T02:00:00Z", "2026-03-03T02:00:01Z"), "Failed", "2026-03-03T02:10:00Z")
	w.end("a", w.begin("a", "2026-03-04T02:00:00Z", "2026-03-04T02:00:01Z"), "Completed", "2026-03-05T03:00:00Z")
	w.clock = at("2026-03-05T12:00:00Z")
	w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	w.clock = at("2026-03-06T12:00:00Z")
	w.change(contract.ChangeSchedulesInput{Unpause: []string{"a"}})
	w.account("2026-03-07T12:00:00Z")
	want := map[string]int64{contract.SlotRan: 2, contract.SlotFailed: 1, contract.SlotSkipped: 1, contract.SlotPaused: 1, contract.SlotMissed: 1}
	if m := w.measure(); m == nil || !maps.Equal(m.Counts, want) {
		t.Errorf("%+v, want %v", m, want)
	}
}
