package simulation

import (
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/retention"
)

// collectGarbage deletes what package retention says. It is told of what has expired and of the
// newest of each schedule, by which alone the floor is decided: to tell it of all would take
// minutes for a year.
func (w *world) collectGarbage(at time.Time) {
	var told []retention.Backup
	expired := make([]int, len(w.schedules))
	for i, s := range w.schedules {
		for expired[i] < len(s.stored) && s.stored[expired[i]].backup.IsExpired(at) {
			expired[i]++
		}
		newest := max(expired[i], len(s.stored)-max(w.plan.Policy.Floor, 0))
		for _, r := range slices.Concat(s.stored[:expired[i]], s.stored[newest:]) {
			told = append(told, r.backup)
		}
	}
	gone := map[string]bool{}
	for _, d := range retention.Decide(told, w.plan.Policy, at) {
		gone[d.Name] = d.Delete
	}
	for i, s := range w.schedules {
		w.removeGone(s, expired[i], gone, at)
	}
}

// removeGone removes from the first n backups of a schedule.
func (w *world) removeGone(s *state, n int, gone map[string]bool, at time.Time) {
	var left []*run
	for _, r := range s.stored[:n] {
		if gone[r.backup.Name] {
			w.remove(r, at)
			continue
		}
		left = append(left, r)
	}
	s.stored = slices.Replace(s.stored, 0, n, left...)
}

func (w *world) remove(r *run, at time.Time) {
	w.result.Runs[r.index].Deleted = at
	w.kept--
	w.snapshots -= r.of.Snapshots
	w.today.Deleted++
	r.of.sum.Deleted++
	r.of.sum.Kept--
}

func (w *world) beginDay(at time.Time) {
	begin := at.Truncate(24 * time.Hour)
	w.today = Day{Date: begin.Format(time.DateOnly), Kept: map[string]int{}}
	w.endOfDay = begin.Add(24 * time.Hour)
}

// countDay writes down what the day leaves behind.
func (w *world) countDay() {
	for _, s := range w.schedules {
		w.today.Kept[s.Name] = s.sum.Kept
	}
	w.today.Snapshots = w.snapshots
	w.result.Days = append(w.result.Days, w.today)
}

// finish counts the last day, which may have ended early.
func (w *world) finish() *Result {
	if !w.plan.Until.Equal(w.endOfDay.Add(-24 * time.Hour)) {
		w.countDay()
	}
	w.result.Kept = w.kept
	for _, s := range w.schedules {
		w.result.Schedules = append(w.result.Schedules, s.sum)
	}
	return &w.result
}
