package kube

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// simulated is an API server in simulated time: it works on knee requests at
// once; more share its capacity, so that their latency grows and nothing is
// won. It may throttle, and its idle latency may change.
type simulated struct {
	l       *Limiter
	now     time.Time
	knee    float64
	service time.Duration
	refuse  func(inFlight int) bool
	queue   completions
	served  int
}

type completion struct {
	at      time.Time
	slot    *Slot
	outcome Outcome
}

type completions []completion

func (c completions) Len() int           { return len(c) }
func (c completions) Less(i, j int) bool { return c[i].at.Before(c[j].at) }
func (c completions) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *completions) Push(x any)        { *c = append(*c, x.(completion)) }
func (c *completions) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

func newSimulated(knee float64) *simulated {
	s := &simulated{now: time.Unix(0, 0), knee: knee, service: 5 * time.Millisecond, l: NewLimiter(4, 256)}
	s.l.now = func() time.Time { return s.now }
	s.refuse = func(int) bool { return false }
	return s
}

// run offers unlimited work for d of simulated time and returns the requests
// served per second and the mean limit in the second half.
func (s *simulated) run(d time.Duration) (rate, limit float64) {
	rnd := rand.New(rand.NewPCG(1, 2))
	begin, half := s.now, s.now.Add(d/2)
	samples, sum, from := 0, 0, 0
	for s.now.Sub(begin) < d {
		s.start(rnd)
		c := heap.Pop(&s.queue).(completion)
		s.now = c.at
		c.slot.Release(c.outcome)
		if c.outcome == OutcomeOK {
			s.served++
		}
		if s.now.Before(half) {
			from = s.served
			continue
		}
		samples++
		sum += s.l.Stats().Limit
	}
	return float64(s.served-from) / (d / 2).Seconds(), float64(sum) / float64(samples)
}

func (s *simulated) start(rnd *rand.Rand) {
	for {
		s.l.mu.Lock()
		slot := s.l.tryLocked(classWrite)
		s.l.mu.Unlock()
		if slot == nil {
			return
		}
		n := float64(len(s.queue) + 1)
		latency := time.Duration(float64(s.service) * max(1, n/s.knee) * (0.7 + 0.6*rnd.Float64()))
		outcome := OutcomeOK
		if s.refuse(len(s.queue) + 1) {
			latency, outcome = time.Millisecond, OutcomeThrottled
		}
		heap.Push(&s.queue, completion{s.now.Add(latency), slot, outcome})
	}
}

func TestLimiterConvergesNearTheKnee(t *testing.T) {
	t.Parallel()
	for _, knee := range []float64{8, 16, 32, 64} {
		s := newSimulated(knee)
		rate, limit := s.run(30 * time.Second)
		best := knee / s.service.Seconds()
		t.Logf("knee %v: limit %.0f, %.0f of %.0f requests/s", knee, limit, rate, best)
		if limit < knee || limit > 3*knee {
			t.Errorf("knee %v: limit %.0f", knee, limit)
		}
		if rate < 0.9*best {
			t.Errorf("knee %v: %.0f requests/s of %.0f", knee, rate, best)
		}
	}
}

func TestLimiterBacksOffAndRecovers(t *testing.T) {
	s := newSimulated(32)
	s.run(5 * time.Second)
	s.refuse = func(int) bool { return true }
	if _, limit := s.run(2 * time.Second); limit != 4 {
		t.Errorf("limit %.1f while everything is refused, want the floor 4", limit)
	}
	s.refuse = func(int) bool { return false }
	if rate, _ := s.run(10 * time.Second); rate < 0.85*32/s.service.Seconds() {
		t.Errorf("%.0f requests/s after the recovery", rate)
	}
	if got := s.l.Stats(); got.Throttled == 0 || got.Completed == 0 {
		t.Errorf("figures %+v", got)
	}
}

func TestLimiterStaysBelowWhatIsRefused(t *testing.T) {
	s := newSimulated(64)
	s.refuse = func(n int) bool { return n > 20 }
	if _, limit := s.run(20 * time.Second); limit < 8 || limit > 26 {
		t.Errorf("limit %.0f where more than 20 are refused", limit)
	}
}

func TestLimiterLearnsThatObjectsGotDearer(t *testing.T) {
	s := newSimulated(32)
	s.run(5 * time.Second)
	s.service *= 8
	if rate, _ := s.run(60 * time.Second); rate < 0.85*32/s.service.Seconds() {
		t.Errorf("%.0f requests/s of %.0f after latency rose for good", rate, 32/s.service.Seconds())
	}
}

func TestLimiterDoesNotGrowUnused(t *testing.T) {
	l := NewLimiter(4, 64)
	for range 1000 {
		slot, err := l.Acquire(context.Background(), classRead)
		if err != nil {
			t.Fatal(err)
		}
		slot.latency = time.Millisecond
		slot.Release(OutcomeOK)
	}
	if s := l.Stats(); s.Limit != 8 || s.Completed != 1000 || s.InFlight != 0 {
		t.Errorf("figures %+v", s)
	}
}

func TestLimiterQueue(t *testing.T) {
	l := NewLimiter(1, 1)
	first, _ := l.Acquire(context.Background(), classRead)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("not wanted any more")
	cancel(why)
	if _, err := l.Acquire(ctx, classRead); !errors.Is(err, why) {
		t.Errorf("error %v, want the cause of the cancel", err)
	}
	var wg sync.WaitGroup
	order := make(chan int, 3)
	for i := range 3 {
		wg.Go(func() {
			slot, err := l.Acquire(context.Background(), classRead)
			if err != nil {
				t.Error(err)
				return
			}
			order <- i
			slot.Release(OutcomeOK)
		})
		for l.Stats().Waiting != i+1 {
			time.Sleep(time.Millisecond)
		}
	}
	first.Release(OutcomeOK)
	first.Release(OutcomeOK) // a second time is nothing
	wg.Wait()
	if a, b, c := <-order, <-order, <-order; a != 0 || b != 1 || c != 2 {
		t.Errorf("served in the order %d %d %d", a, b, c)
	}
	if s := l.Stats(); s.InFlight != 0 || s.Waiting != 0 {
		t.Errorf("figures %+v", s)
	}
}

// TestLimiterCancelRace cancels waiters while slots are granted: none may be
// lost.
func TestLimiterCancelRace(t *testing.T) {
	l := NewLimiter(2, 2)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 50 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(200))*time.Microsecond)
				if slot, err := l.Acquire(ctx, classRead); err == nil {
					slot.Release(OutcomeOK)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if s := l.Stats(); s.InFlight != 0 || s.Waiting != 0 {
		t.Errorf("slots were lost: %+v", s)
	}
}
