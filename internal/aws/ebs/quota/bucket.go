package quota

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// How a bucket answers to throttling: additive increase, multiplicative decrease.
const (
	cutTo      = 0.7              // of the rate, at each throttling
	floorOf    = 0.05             // of the first rate; never below
	gainOf     = 0.0025           // of the first rate, at each success
	cutApart   = time.Second      // refusals of one moment are one signal
	afterCut   = time.Second      // nothing is sent for so long
	idleResets = 10 * time.Minute // a lesson that old is forgotten
)

// requestBucket keeps the requests of one action below the account's rate, first come
// first served.
type requestBucket struct {
	fifo *semaphore.Weighted // who holds it waits for tokens
	top  Rate

	mu     sync.Mutex
	now    Rate
	tokens float64
	at     time.Time // of the last refill
	closed time.Time // nothing is sent before
	cut    time.Time // of the last throttling
}

func newRequestBucket(top Rate) *requestBucket {
	if top == (Rate{}) {
		top = Rate{PerSecond: math.MaxInt32, Burst: math.MaxInt32}
	}
	return &requestBucket{fifo: semaphore.NewWeighted(1), top: top, now: top, tokens: top.Burst, at: time.Now()}
}

// takeTokens waits for n tokens, at most a full bucket, and removes them.
func (b *requestBucket) takeTokens(ctx context.Context, n float64) error {
	if err := b.fifo.Acquire(ctx, 1); err != nil {
		return err
	}
	defer b.fifo.Release(1)
	for {
		wait := b.tryTake(n)
		if wait <= 0 {
			return nil
		}
		if err := waitFor(ctx, nil, wait); err != nil {
			return err
		}
	}
}

// takeAvailable removes at most n tokens that nobody waits for, and tells how many.
func (b *requestBucket) takeAvailable(n int) int {
	if !b.fifo.TryAcquire(1) {
		return 0
	}
	defer b.fifo.Release(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.refillTokens(now)
	if b.closed.After(now) {
		return 0
	}
	n = max(0, min(n, int(b.tokens)))
	b.tokens -= float64(n)
	return n
}

// tryTake takes n tokens, or says how long to wait for them.
func (b *requestBucket) tryTake(n float64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.refillTokens(now)
	if wait := b.closed.Sub(now); wait > 0 {
		return wait
	}
	n = min(n, b.now.Burst)
	if b.tokens >= n {
		b.tokens -= n
		return 0
	}
	return max(time.Millisecond, time.Duration((n-b.tokens)/b.now.PerSecond*float64(time.Second)))
}

func (b *requestBucket) refillTokens(now time.Time) {
	if now.Sub(b.cut) > idleResets && b.now != b.top && !b.cut.IsZero() {
		b.now = b.top
	}
	b.tokens = min(b.now.Burst, b.tokens+now.Sub(b.at).Seconds()*b.now.PerSecond)
	b.at = now
}

// giveBack puts tokens back that were not used.
func (b *requestBucket) giveBack(n float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refillTokens(time.Now())
	b.tokens = min(b.now.Burst, b.tokens+n)
}

// drainTokens removes tokens that somebody else used; fewer than none puts some back.
func (b *requestBucket) drainTokens(n float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refillTokens(time.Now())
	b.tokens = min(b.now.Burst, max(b.tokens-n, -b.now.Burst))
}

// learnThrottled learns that EC2 took too many.
func (b *requestBucket) learnThrottled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.refillTokens(now)
	b.tokens, b.closed = min(b.tokens, 0), now.Add(afterCut)
	if now.Sub(b.cut) < cutApart {
		return
	}
	b.cut = now
	b.now.PerSecond = max(b.now.PerSecond*cutTo, b.top.PerSecond*floorOf)
	b.now.Burst = max(b.now.Burst*cutTo, 1)
}

// learnPassed learns that EC2 took one.
func (b *requestBucket) learnPassed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now.PerSecond = min(b.now.PerSecond+b.top.PerSecond*gainOf, b.top.PerSecond)
	b.now.Burst = min(b.now.Burst+b.top.Burst*gainOf, b.top.Burst)
}
