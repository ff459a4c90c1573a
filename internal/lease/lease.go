// Package lease bounds how long an attempt of an activity may write without a heartbeat that
// Temporal has taken. Temporal takes an attempt without heartbeats for dead and begins another,
// but a process that stood still (SIGSTOP, a paused machine) goes on where it was: its lease
// has expired by then, and its clients send nothing any more that changes something.
package lease

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// ErrExpired is why an attempt ends that may not write any more. It is a context.Canceled, so
// that nothing waits for it to pass. Another attempt goes on.
var ErrExpired = fmt.Errorf("no heartbeat was taken in time, so that another attempt may have begun: %w", context.Canceled)

type key struct{}

// lease is that of one attempt.
type lease struct {
	lasts   time.Duration
	cancel  context.CancelCauseFunc
	granted chan struct{} // closed by the first renewal
	ended   <-chan struct{}

	mu      sync.Mutex
	renewed time.Time
	expired bool
	timer   *time.Timer
}

// Begin gives the attempt of ctx a lease, which lasts from each renewal on. Until the first one
// nothing may be written: a process may have stood still since it was given the attempt. The context
// that it returns ends with ErrExpired when the lease does. The caller calls end.
func Begin(ctx context.Context, lasts time.Duration) (leased context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	l := &lease{lasts: lasts, cancel: cancel, granted: make(chan struct{}), ended: ctx.Done(), renewed: time.Now()}
	l.timer = time.AfterFunc(lasts, func() { _ = l.check() })
	return context.WithValue(ctx, key{}, l), func() { l.timer.Stop(); cancel(nil) }
}

// Renew lets the lease of ctx begin anew at the time at which the heartbeat was sent that was
// taken. One that has expired stays so. Without a lease it does nothing.
func Renew(ctx context.Context, sent time.Time) {
	l, leased := ctx.Value(key{}).(*lease)
	if !leased || l.check() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isGranted() {
		close(l.granted)
	}
	if sent.After(l.renewed) {
		l.renewed = sent
		l.timer.Reset(l.lasts - time.Since(sent))
	}
}

// Check waits for the first renewal, and fails with ErrExpired if the lease of ctx has expired, also
// where ctx is one that outlives its end. Without a lease everything may be sent.
func Check(ctx context.Context) error {
	l, leased := ctx.Value(key{}).(*lease)
	if !leased {
		return nil
	}
	select {
	case <-l.granted:
	case <-l.ended:
	}
	if !l.isGranted() {
		return ErrExpired
	}
	return l.check()
}

func (l *lease) isGranted() bool {
	select {
	case <-l.granted:
		return true
	default:
		return false
	}
}

func (l *lease) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.expired && age(l.renewed) < l.lasts {
		return nil
	}
	l.expired = true
	l.cancel(ErrExpired)
	return ErrExpired
}

// age is how long ago something was, by the clock that shows more: the monotonic one stands
// still with the machine, the other one may be set back.
func age(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}
