package simulation

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/retention"
)

// Simulate plays a plan. A year of an hourly schedule takes less than a second.
func Simulate(p Plan) (*Result, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	w := newWorld(p)
	defer w.stop()
	for w.step() {
		if len(w.result.Runs) > mostRuns {
			return nil, fmt.Errorf("simulate: more than %d runs: take a shorter time", mostRuns)
		}
	}
	return w.finish(), nil
}

// world is the state at one instant.
type world struct {
	plan      Plan
	schedules []*state
	running   []*run    // by the time of their end
	kept      int       // completed and not deleted
	collect   time.Time // when garbage is collected next
	endOfDay  time.Time
	snapshots int
	today     Day
	result    Result
}

// state is a schedule in a world.
type state struct {
	Schedule
	next    func() (time.Time, bool)
	stop    func()
	due     time.Time // the next one, zero for none
	busy    bool
	waiting *run // a buffered one
	sum     ScheduleResult
	stored  []*run // completed and not deleted: those that expire first come first
}

// run is a run, and where its line in the result is.
type run struct {
	of     *state
	index  int
	ends   time.Time
	backup retention.Backup
}

func newWorld(p Plan) *world {
	w := &world{plan: p, result: Result{From: p.From.UTC(), Until: p.Until.UTC(), Quota: p.Quota}}
	for _, s := range p.Schedules {
		st := &state{Schedule: s, sum: ScheduleResult{Name: s.Name, Shortest: s.Timing.Period().Shortest}}
		st.next, st.stop = iter.Pull(s.Timing.After(p.From.Add(-1)))
		st.advance(p.Until)
		w.schedules = append(w.schedules, st)
	}
	w.collect = p.From.UTC().Truncate(CollectEvery).Add(CollectEvery)
	w.beginDay(p.From.UTC())
	return w
}

func (w *world) stop() {
	for _, s := range w.schedules {
		s.stop()
	}
}

func (s *state) advance(until time.Time) {
	due, ok := s.next()
	if !ok || !due.Before(until) {
		due = time.Time{}
	}
	s.due = due
}

// step does what happens next, and tells whether there was anything until the end.
func (w *world) step() bool {
	at := w.nextInstant()
	if at.After(w.plan.Until) {
		return false
	}
	if w.endOfDay.Equal(at) {
		w.countDay()
		w.beginDay(at)
	}
	for len(w.running) > 0 && w.running[0].ends.Equal(at) {
		w.complete(w.running[0], at)
	}
	for _, s := range w.schedules {
		if s.due.Equal(at) {
			w.fallDue(s, at)
			s.advance(w.plan.Until)
		}
	}
	if w.collect.Equal(at) {
		w.collectGarbage(at)
		w.collect = at.Add(CollectEvery)
	}
	return true
}

// nextInstant is when something happens next. Days are counted to the end, so that it always is.
func (w *world) nextInstant() time.Time {
	at := w.endOfDay
	if w.collect.Before(at) {
		at = w.collect
	}
	if len(w.running) > 0 && w.running[0].ends.Before(at) {
		at = w.running[0].ends
	}
	for _, s := range w.schedules {
		if !s.due.IsZero() && s.due.Before(at) {
			at = s.due
		}
	}
	return at
}

func (w *world) fallDue(s *state, at time.Time) {
	s.sum.Due++
	w.result.Runs = append(w.result.Runs, Run{Schedule: s.Name, Due: at})
	r := &run{of: s, index: len(w.result.Runs) - 1}
	switch {
	case !s.busy:
		w.start(r, at)
	case s.Buffer: // the run that waits is for the last due time that has passed when it begins
		if s.waiting != nil {
			w.skip(s.waiting)
		}
		s.waiting = r
	default:
		w.skip(r)
	}
}

func (w *world) skip(r *run) {
	r.of.sum.Skipped++
	w.today.Skipped++
	w.result.Runs[r.index].Skipped = "the run before went on"
}

// start begins a run: its snapshots are there from now on.
func (w *world) start(r *run, at time.Time) {
	line := &w.result.Runs[r.index]
	line.Started, line.Backup = at, BackupName(r.of.Name, line.Due)
	r.ends = at.Add(r.of.Duration)
	r.backup = retention.Backup{
		Name: line.Backup, Schedule: r.of.Name, Phase: velerov1.BackupPhaseCompleted, Ours: true,
		Started: at, Completed: r.ends, Expires: at.Add(r.of.TTL),
	}
	r.of.busy = true
	r.of.sum.Ran++
	w.today.Ran++
	w.addSnapshots(r.of.Snapshots, at)
	i, _ := slices.BinarySearchFunc(w.running, r.ends, func(r *run, t time.Time) int { return cmp.Or(r.ends.Compare(t), -1) })
	w.running = slices.Insert(w.running, i, r)
}

func (w *world) addSnapshots(n int, at time.Time) {
	if w.snapshots += n; w.snapshots > w.result.PeakSnapshots {
		w.result.PeakSnapshots, w.result.PeakAt = w.snapshots, at
	}
}

func (w *world) complete(r *run, at time.Time) {
	w.running = slices.DeleteFunc(w.running, func(o *run) bool { return o == r })
	w.result.Runs[r.index].Completed = at
	w.kept++
	w.result.Most = max(w.result.Most, w.kept)
	s := r.of
	s.stored = append(s.stored, r)
	s.sum.Kept++
	s.sum.MostKept = max(s.sum.MostKept, s.sum.Kept)
	s.busy = false
	if waiting := s.waiting; waiting != nil {
		s.waiting = nil
		w.start(waiting, at)
	}
}
