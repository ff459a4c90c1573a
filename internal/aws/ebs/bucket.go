package ebs

import (
	"context"
	"sync"
	"time"
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

// turn is a mutex that honours contexts and serves in order of arrival.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) lock(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t turn) unlock() { <-t }

// bucket holds requests of one action below the account's rate, first come
// first served.
type bucket struct {
	turn turn
	top  Rate

	mu     sync.Mutex
	now    Rate
	tokens float64
	at     time.Time // of the last refill
	closed time.Time // nothing is sent before
	cut    time.Time // of the last throttling
}

func newBucket(top Rate) *bucket {
	return &bucket{turn: newTurn(), top: top, now: top, tokens: top.Burst, at: time.Now()}
}

// take waits for n tokens, at most a full bucket, and removes them.
func (b *bucket) take(ctx context.Context, n float64) error {
	if err := b.turn.lock(ctx); err != nil {
		return err
	}
	defer b.turn.unlock()
	for {
		wait := b.try(n)
		if wait <= 0 {
			return nil
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// try takes n tokens, or says how long to wait for them.
func (b *bucket) try(n float64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.refill(now)
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

func (b *bucket) refill(now time.Time) {
	if now.Sub(b.cut) > idleResets && b.now != b.top && !b.cut.IsZero() {
		b.now = b.top
	}
	b.tokens = min(b.now.Burst, b.tokens+now.Sub(b.at).Seconds()*b.now.PerSecond)
	b.at = now
}

// give puts tokens back that were not used.
func (b *bucket) give(n float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill(time.Now())
	b.tokens = min(b.now.Burst, b.tokens+n)
}

// drain removes tokens that somebody else used; fewer than none puts some back.
func (b *bucket) drain(n float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill(time.Now())
	b.tokens = min(b.now.Burst, max(b.tokens-n, -b.now.Burst))
}

// throttled learns that EC2 took too many.
func (b *bucket) throttled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.refill(now)
	b.tokens, b.closed = min(b.tokens, 0), now.Add(afterCut)
	if now.Sub(b.cut) < cutApart {
		return
	}
	b.cut = now
	b.now.PerSecond = max(b.now.PerSecond*cutTo, b.top.PerSecond*floorOf)
	b.now.Burst = max(b.now.Burst*cutTo, 1)
}

// passed learns that EC2 took one.
func (b *bucket) passed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now.PerSecond = min(b.now.PerSecond+b.top.PerSecond*gainOf, b.top.PerSecond)
	b.now.Burst = min(b.now.Burst+b.top.Burst*gainOf, b.top.Burst)
}
