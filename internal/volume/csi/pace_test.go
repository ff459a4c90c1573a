package csi

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

// controller is a snapshot controller that makes so many requests a second, after a burst of
// ten, and serves all snapshots in turn.
type controller struct {
	perSecond int

	mu    sync.Mutex
	queue []*int // requests that each snapshot still needs
}

// requestsOfSnapshot is how many requests a snapshot costs the snapshot controller: 80 took
// 143 s at five a second.
const requestsOfSnapshot = 9

func (c *controller) run(stop chan struct{}) {
	refill := float64(c.perSecond) / 10
	for tokens := 10.0; ; tokens = min(max(10, refill), tokens+refill) {
		c.mu.Lock()
		for ; tokens >= 1 && len(c.queue) > 0; tokens-- {
			first := c.queue[0]
			c.queue = c.queue[1:]
			if *first--; *first > 0 {
				c.queue = append(c.queue, first)
			}
		}
		c.mu.Unlock()
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// take waits for n snapshots.
func (c *controller) take(t *testing.T, n int) time.Duration {
	began := time.Now()
	all := make([]int, n)
	c.mu.Lock()
	for i := range all {
		all[i] = requestsOfSnapshot
		c.queue = append(c.queue, &all[i])
	}
	c.mu.Unlock()
	for {
		if err := poll.Wait(t.Context(), pollFirst); err != nil {
			t.Error(err)
			return 0
		}
		c.mu.Lock()
		left := slices.Max(all)
		c.mu.Unlock()
		if left <= 0 {
			return time.Since(began)
		}
	}
}

// TestPace: pods are quiesced no longer than the snapshot controller needs for them, however
// many there are, and a controller that is fast is used.
func TestPace(t *testing.T) {
	for name, tc := range map[string]struct {
		perSecond, volumes int
		freeze, all        time.Duration
	}{
		"as shipped, five volumes a pod": {5, 5, 10 * time.Second, 160 * time.Second},
		"as shipped, one volume a pod":   {5, 1, 10 * time.Second, 40 * time.Second},
		"fast":                           {1000, 5, time.Second, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p, stop := &controller{perSecond: tc.perSecond}, &pace{}, make(chan struct{})
				go c.run(stop)
				var units sync.WaitGroup
				began := time.Now()
				for range 16 {
					units.Go(func() {
						r := &reservation{}
						if err := p.enter(t.Context(), r, tc.volumes); err != nil {
							t.Error(err)
							return
						}
						took := c.take(t, tc.volumes)
						p.leave(r, took)
						if took >= tc.freeze {
							t.Errorf("quiesced for %s", took)
						}
					})
				}
				units.Wait()
				if took := time.Since(began); took > tc.all {
					t.Errorf("all took %s", took)
				}
				close(stop)
			})
		})
	}
}

// TestPaceOfOthers: what no pod waits for comes after what pods wait for, and a snapshot that
// is never taken holds nobody up for ever.
func TestPaceOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stuck, unit := &pace{}, &reservation{}, &reservation{}
		p.report(stuck, 90)
		began := time.Now()
		if err := p.enter(t.Context(), unit, 1); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < paceForget || took > paceForget+time.Second {
			t.Errorf("waited %s", took)
		}
		if p.mayAsk() {
			t.Error("others are asked for")
		}
		p.leave(unit, 0)
		p.report(stuck, 0)
		if !p.mayAsk() || len(p.underWay) > 0 {
			t.Errorf("left: %+v", p)
		}
	})
}
