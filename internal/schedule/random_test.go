package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

// story plays days of a schedule minute by minute, with outages, pauses, triggers, runs that
// overlap and runs that are terminated, as Temporal would start them.
type story struct {
	*world
	r       *rand.Rand
	timing  timing.Timing
	away    int // minutes that Temporal or the workers are away for
	paused  bool
	pending []time.Time // due times that Temporal has not looked at
	buffer  []time.Time
	buffers bool
	jitter  time.Duration
	late    []time.Time // due times whose run Temporal has started, and which wait for a worker
	running *contract.BegunSlot
	ends    time.Time
	began   map[time.Time]time.Time // when a run of a due time began
}

func (s *story) text() string { return s.clock.Format(time.RFC3339) }

func (s *story) minute() {
	s.clock = s.clock.Add(time.Minute)
	if next := s.timing.Next(s.clock.Add(-time.Second)); next.Equal(s.clock) {
		s.pending = append(s.pending, next)
	}
	if s.away > 0 {
		s.away--
		return
	}
	s.endRun()
	s.beginLate()
	s.startRuns()
	switch s.r.IntN(400) {
	case 0:
		s.away = s.r.IntN(200)
	case 1:
		s.paused = !s.paused
		in := contract.ChangeSchedulesInput{Unpause: []string{"a"}}
		if s.paused {
			in = contract.ChangeSchedulesInput{Pause: []string{"a"}}
		}
		s.change(in)
	case 2:
		clear(s.temporal.running) // somebody terminates the run
		s.running = nil
	case 4:
		s.change(contract.ChangeSchedulesInput{Apply: []contract.Schedule{s.template(fmt.Sprint("ns", s.r.IntN(9)))}})
	case 3:
		if len(s.late) == 0 {
			s.start(s.clock.Add(7*time.Second), s.clock.Add(7*time.Second))
		}
	}
	if s.r.IntN(30) == 0 {
		s.account(s.text())
	}
}

func (s *story) endRun() {
	if s.running != nil && !s.clock.Before(s.ends) {
		s.end("a", *s.running, []string{"Completed", "Failed"}[s.r.IntN(2)], s.text())
		s.running = nil
	}
}

// template is the schedule of the story, of some namespace.
func (s *story) template(namespace string) contract.Schedule {
	overlap := contract.OverlapSkip
	if s.buffers {
		overlap = contract.OverlapBufferOne
	}
	return daily("a", cron(s.timing.String()), annotated(contract.AnnotationOverlap, overlap), annotated(contract.AnnotationJitter, s.jitter.String()),
		func(d *contract.Schedule) { d.Spec.Template.IncludedNamespaces = []string{namespace} })
}

// jitterOf is how much later Temporal looks at a due time.
func (s *story) jitterOf(due time.Time) time.Duration {
	return time.Duration(due.Unix()/60*7919%int64(s.jitter/time.Minute+1)) * time.Minute
}

// beginLate has a worker take the run that waits, by and by.
func (s *story) beginLate() {
	if len(s.late) > 0 && s.r.IntN(5) == 0 {
		due := s.late[0]
		s.late = nil
		s.start(due, s.clock)
	}
}

// startRuns goes through the due times as Temporal does: one is started, and of those that
// overlap one is buffered at most.
func (s *story) startRuns() {
	window := s.temporal.schedules["a"].CatchUp
	due := append(s.buffer, s.pending...)
	s.buffer, s.pending = nil, nil
	for _, at := range due {
		passed := at.Add(s.jitterOf(at))
		switch {
		case passed.After(s.clock):
			s.pending = append(s.pending, at)
		case s.paused || s.clock.Sub(passed) > window:
		case s.running == nil && len(s.late) == 0 && s.r.IntN(4) == 0:
			s.late = append(s.late, at)
		case s.running == nil && len(s.late) == 0:
			s.start(at, s.clock)
		case s.buffers && len(s.buffer) == 0:
			s.buffer = append(s.buffer, at)
		}
	}
}

func (s *story) start(due, now time.Time) {
	if s.running != nil {
		return
	}
	begun := s.begin("a", due.Format(time.RFC3339), now.Format(time.RFC3339))
	s.clock = now.Truncate(time.Minute)
	if begun.Backup == nil {
		nobody := begun.Slot.Outcome == contract.SlotMissed || begun.Slot.Outcome == contract.SlotSkipped
		if window := s.temporal.schedules["a"].CatchUp + s.jitter; nobody && now.Sub(due) <= window {
			s.t.Errorf("the run of %s begins at %s, within its window, and does nothing: %+v", due, now, begun.Slot)
		}
		return
	}
	at := begun.Slot.Due
	if before, twice := s.began[at]; twice && s.st.Has("backups/"+begun.Backup.Name+"/velero-backup.json") {
		s.t.Errorf("the run of %s began at %s and at %s", at, before, now)
	}
	s.began[at] = now
	s.running, s.ends = &begun, now.Add(time.Duration(s.r.IntN(90))*time.Minute)
}

// TestRandomStories: whatever happens, each due time has exactly one outcome in the end, and no
// run has begun later than its window.
func TestRandomStories(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 5))
			s := &story{world: newWorld(t), r: r, buffers: r.IntN(2) == 0, began: map[time.Time]time.Time{}}
			text := []string{"*/10 * * * *", "0 * * * *", "30 */3 * * *"}[r.IntN(3)]
			if seed%2 == 1 {
				s.jitter = []time.Duration{time.Minute, 5 * time.Minute, 9 * time.Minute}[r.IntN(3)]
			}
			var err error
			if s.timing, err = timing.Parse(text, ""); err != nil {
				t.Fatal(err)
			}
			s.apply(s.template("shop"))
			begin := s.clock
			for range 3 * 24 * 60 {
				s.minute()
			}
			clear(s.temporal.running)
			end := s.clock
			s.account(end.Add(48 * time.Hour).Format(time.RFC3339))
			s.checkAccount(begin, end)
		})
	}
}

func (s *story) checkAccount(begin, end time.Time) {
	s.t.Helper()
	outcomes := map[time.Time][]string{}
	for _, slot := range s.all() {
		outcomes[slot.Due] = append(outcomes[slot.Due], slot.Outcome)
	}
	for _, at := range s.timing.Between(begin, end, 1<<20) {
		if got := outcomes[at]; len(got) != 1 || got[0] == contract.SlotRunning {
			s.t.Errorf("%s: %q", at, got)
		}
	}
	var n int64
	for _, c := range s.status("a").Counts {
		n += c
	}
	if due := len(s.timing.Between(begin, s.clock.Add(-12*time.Hour), 1<<20)); int(n) < due {
		s.t.Errorf("%d of %d due times are counted", n, due)
	}
}

// TestTurnsAtOnce: of many runs that ask at the same time no more than the limit have a turn.
func TestTurnsAtOnce(t *testing.T) {
	w := newWorld(t)
	const runs = 8
	for i := range runs {
		w.temporal.running[fmt.Sprint(i)] = true
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	holding, most, done := 0, 0, 0
	for i := range runs {
		group.Go(func() {
			in := contract.TakeTurnInput{Schedule: fmt.Sprint(i), Due: at("2026-03-01T01:00:00Z"), Run: run(fmt.Sprint(i))}
			for {
				turn, err := w.TakeTurn(t.Context(), in)
				if err != nil {
					continue // others were faster; the activity is tried again
				}
				if turn.Taken {
					break
				}
				time.Sleep(time.Millisecond)
			}
			mu.Lock()
			holding++
			most = max(most, holding)
			mu.Unlock()
			time.Sleep(2 * time.Millisecond)
			mu.Lock()
			holding--
			done++
			mu.Unlock()
			for w.End(t.Context(), contract.EndSlotInput{Schedule: in.Schedule, Slot: contract.ScheduleSlot{Run: in.Run}}) != nil {
				time.Sleep(time.Millisecond)
			}
		})
	}
	group.Wait()
	if most > 2 || done != runs {
		t.Errorf("%d at once, %d done", most, done)
	}
}
