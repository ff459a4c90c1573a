package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/lease"
)

const lasts = 8 * time.Second

// A lease lasts for as long as it is renewed in time, by when heartbeats were sent. Once it has
// expired nothing brings it back.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := lease.Begin(t.Context(), lasts)
		defer end()
		begun := time.Now()
		lease.Renew(ctx, begun)
		for range 10 {
			time.Sleep(lasts - time.Second)
			if err := lease.Check(ctx); err != nil {
				t.Fatalf("after %s: %v", time.Since(begun), err)
			}
			lease.Renew(ctx, time.Now())
		}
		lease.Renew(ctx, begun) // an answer that came late shortens nothing
		time.Sleep(lasts / 2)
		lease.Renew(ctx, time.Now().Add(-lasts/4)) // one that took its time lengthens by what is left
		time.Sleep(lasts*3/4 - time.Nanosecond)
		if err := ctx.Err(); err != nil {
			t.Fatalf("ended early: %v", err)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		lease.Renew(ctx, time.Now())
		for _, err := range []error{lease.Check(ctx), context.Cause(ctx), lease.Check(context.WithoutCancel(ctx))} {
			if !errors.Is(err, lease.ErrExpired) || !errors.Is(err, context.Canceled) {
				t.Errorf("expired: %v", err)
			}
		}
	})
}

// Who checks before the timer has fired finds an expired lease expired: a process that goes on
// runs its writes and its timers in any order.
func TestExpiredWithoutTimer(t *testing.T) {
	ctx, end := lease.Begin(t.Context(), time.Nanosecond)
	defer end()
	time.Sleep(time.Microsecond)
	if err := lease.Check(ctx); !errors.Is(err, lease.ErrExpired) || ctx.Err() == nil {
		t.Errorf("got %v, the context %v", err, ctx.Err())
	}
}

// Nothing is written before the first renewal, for which a write waits: an attempt that was given to
// a process which stood still since may be dead already. It is told so, and its context ends.
func TestNotRenewedYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := lease.Begin(t.Context(), lasts)
		defer end()
		time.AfterFunc(time.Second, func() { lease.Renew(ctx, time.Now()) })
		begun := time.Now()
		if err := lease.Check(ctx); err != nil || time.Since(begun) != time.Second {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		for name, told := range map[string]time.Duration{"told that it is dead": time.Second, "told nothing": 2 * lasts} {
			parent, cancel := context.WithTimeout(t.Context(), told)
			ctx, end := lease.Begin(parent, lasts)
			begun := time.Now()
			if err := lease.Check(context.WithoutCancel(ctx)); !errors.Is(err, lease.ErrExpired) || time.Since(begun) != min(told, lasts) {
				t.Errorf("%s: after %s: %v", name, time.Since(begun), err)
			}
			end()
			cancel()
		}
	})
}

// What has no lease may do everything, and what has ended its own work does not expire.
func TestNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease.Renew(t.Context(), time.Now())
		if err := lease.Check(t.Context()); err != nil {
			t.Errorf("no lease: %v", err)
		}
		ctx, end := lease.Begin(t.Context(), lasts)
		end()
		time.Sleep(2 * lasts)
		if err := context.Cause(ctx); errors.Is(err, lease.ErrExpired) {
			t.Errorf("ended: %v", err)
		}
	})
}
