package quota

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// cloud is an account's snapshots as a Counter sees them.
type cloud struct {
	mu     sync.Mutex
	snaps  map[string]Snapshot
	counts int
	hide   map[string]bool // not visible yet
	fails  error
}

func (c *cloud) count(_ context.Context, ids []string) ([]Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts++
	var out []Snapshot
	for id, s := range c.snaps {
		if !c.hide[id] && (s.Pending || slices.Contains(ids, id)) {
			out = append(out, s)
		}
	}
	return out, c.fails
}

func (c *cloud) add(n int, prefix, volume string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range n {
		id := fmt.Sprintf("%s-%d", prefix, i)
		c.snaps[id] = Snapshot{ID: id, VolumeID: volume, Pending: true}
	}
}

func (c *cloud) finish(id string) Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.snaps[id]
	s.Pending = false
	c.snaps[id] = s
	return s
}

func newCloud() *cloud { return &cloud{snaps: map[string]Snapshot{}, hide: map[string]bool{}} }

func unpaid(int) error { return nil }

func quotaOf(l Limits) *pendingQuota { return newPendingQuota(l, func(int) {}) }

func smallLimits(pending int) Limits {
	l := DefaultLimits()
	l.Pending = pending
	return l
}

func mustAcquire(t *testing.T, s *pendingQuota, n int, c *cloud) {
	t.Helper()
	if got, err := s.acquire(t.Context(), n, c.count, unpaid); err != nil || got != n {
		t.Fatalf("acquire %d: %d, %v", n, got, err)
	}
}

func wantFull(t *testing.T, s *pendingQuota, c *cloud) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), invisibleFor-time.Second)
	defer cancel()
	if _, err := s.acquire(ctx, 1, c.count, unpaid); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a slot where there is none: %v", err)
	}
}

func TestPendingCountOwnHeldAndForeign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCloud(), quotaOf(smallLimits(10+otherWriters))
		c.add(4, "other", "vol-x")
		mustAcquire(t, s, 6, c)
		wantFull(t, s, c) // 4 foreign, 6 held, and the margin for others
		c.add(6, "own", "vol-y")
		for i := range 6 {
			s.learnCreated(fmt.Sprintf("own-%d", i), "vol-y")
		}
		wantFull(t, s, c)
		c.finish("own-3")
		mustAcquire(t, s, 1, c) // found by counting
		wantFull(t, s, c)
	})
}

func TestPendingWithoutOthersHaveNoMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCloud(), quotaOf(smallLimits(100))
		mustAcquire(t, s, 100, c)
		wantFull(t, s, c)
	})
}

// TestPendingKeepWhatIsNotVisibleYet: a snapshot that no list shows is pending
// until it has had time to show.
func TestPendingKeepWhatIsNotVisibleYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCloud(), quotaOf(smallLimits(1))
		mustAcquire(t, s, 1, c)
		c.add(1, "own", "vol-y")
		c.hide["own-0"] = true
		s.learnCreated("own-0", "vol-y")
		wantFull(t, s, c)
		delete(c.snaps, "own-0") // somebody deleted it
		start := time.Now()
		mustAcquire(t, s, 1, c)
		if waited := time.Since(start); waited > VisibleWithin {
			t.Errorf("waited %v for a snapshot that is gone", waited)
		}
	})
}

func TestPendingWakeOnNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCloud(), quotaOf(smallLimits(1))
		mustAcquire(t, s, 1, c)
		c.add(1, "own", "vol-y")
		s.learnCreated("own-0", "vol-y")
		go func() {
			time.Sleep(30*time.Second + 10*time.Millisecond)
			s.learnDescribed(c.finish("own-0")) // somebody else described it
		}()
		start := time.Now()
		mustAcquire(t, s, 1, c)
		if waited := time.Since(start); waited != 30*time.Second+10*time.Millisecond {
			t.Errorf("waited %v", waited)
		}
		if c.counts > 25 {
			t.Errorf("%d counts in half a minute", c.counts)
		}
	})
}

func TestPendingBelieveARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCloud(), quotaOf(smallLimits(100))
		c.add(10, "other", "vol-x")
		mustAcquire(t, s, 1, c)
		s.learnRefused(1)
		wantFull(t, s, c)
		time.Sleep(invisibleFor)
		mustAcquire(t, s, 50, c)
	})
}

func TestPendingFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCloud(), quotaOf(smallLimits(4))
		mustAcquire(t, s, 4, c)
		served := make(chan int, 3)
		for i, n := range []int{3, 1, 2} { // the large one is not overtaken
			go func() {
				if _, err := s.acquire(t.Context(), n, c.count, unpaid); err == nil {
					served <- i
					time.Sleep(time.Second)
					s.releaseHeld(n)
				}
			}()
			synctest.Wait()
		}
		for range 4 {
			s.releaseHeld(1)
			time.Sleep(time.Minute)
		}
		if order := fmt.Sprint(<-served, <-served, <-served); order != "0 1 2" {
			t.Errorf("order %s", order)
		}
	})
}

func TestPendingOfAVolume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCloud(), quotaOf(smallLimits(100))
		c.add(5, "other", "vol-x")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.awaitVolume(ctx, "vol-x", 5, c.count); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a sixth of a volume: %v", err)
		}
		if err := s.awaitVolume(t.Context(), "vol-y", 5, c.count); err != nil {
			t.Error(err)
		}
		c.finish("other-2")
		if err := s.awaitVolume(t.Context(), "vol-x", 5, c.count); err != nil {
			t.Error(err)
		}
	})
}
