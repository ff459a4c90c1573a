package quota

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"
)

// volumeGate lets one snapshot of a volume through at a time, first come first served,
// and not before the volume's next is allowed.
type volumeGate struct {
	lock  *semaphore.Weighted
	users int       // guarded by accountLimiter.mu
	next  time.Time // guarded by lock
}

// enterGate waits until the volume may be snapshotted and holds its gate.
func (a *Account) enterGate(ctx context.Context, v Volume) (*volumeGate, error) {
	g := a.joinGate(v.ID)
	if err := g.lock.Acquire(ctx, 1); err != nil {
		a.partGate(g)
		return nil, err
	}
	err := waitFor(ctx, nil, time.Until(g.next))
	if err == nil {
		err = a.pending.awaitVolume(ctx, v.ID, a.perVolume(v.Type), a.count)
	}
	if err != nil {
		a.leaveGate(g)
		return nil, err
	}
	return g, nil
}

func (a *accountLimiter) leaveGate(g *volumeGate) {
	g.lock.Release(1)
	a.partGate(g)
}

// joinGate returns the volume's gate, to be given back with partGate.
func (a *accountLimiter) joinGate(volume string) *volumeGate {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.gates[volume]
	if g == nil {
		a.dropIdleGates()
		g = &volumeGate{lock: semaphore.NewWeighted(1)}
		a.gates[volume] = g
	}
	g.users++
	return g
}

func (a *accountLimiter) partGate(g *volumeGate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g.users--
}

// manyGates is when gates that nobody needs are looked for.
const manyGates = 1024

// dropIdleGates drops those that nobody uses and whose time to wait is over.
func (a *accountLimiter) dropIdleGates() {
	if len(a.gates) < manyGates {
		return
	}
	for id, g := range a.gates {
		if g.users == 0 && time.Until(g.next) <= 0 {
			delete(a.gates, id)
		}
	}
}
