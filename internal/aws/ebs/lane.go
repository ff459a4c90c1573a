package ebs

import (
	"context"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// atOnce is how many unreserved snapshots are asked for at the same time: enough
// for a burst, few enough to learn from refusals before they are many.
const atOnce = 8

// lane is the limiter of one account in one Region.
type lane struct {
	limits Limits
	slots  *slots
	asking turn // room for requests under way

	mu      sync.Mutex
	buckets map[string]*bucket
	gates   map[string]*gate
}

func newLane(l Limits) *lane {
	n := &lane{limits: l, asking: make(turn, atOnce), buckets: map[string]*bucket{}, gates: map[string]*gate{}}
	n.slots = newSlots(l, func(made int) { n.bucket(actionOne).drain(float64(made)) })
	return n
}

func (n *lane) bucket(action string) *bucket {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.buckets[action]
	if b == nil {
		rate, ok := n.limits.Rates[action]
		if !ok {
			rate = n.limits.Other
		}
		b = newBucket(rate)
		n.buckets[action] = b
	}
	return b
}

func (n *lane) take(ctx context.Context, action string, tokens float64) error {
	return n.bucket(action).take(ctx, tokens)
}

// told passes on what came of a request.
func (n *lane) told(action string, err error) {
	switch {
	case err == nil:
		n.bucket(action).passed()
	case isThrottle(awserr.Code(err)):
		n.bucket(action).throttled()
	}
}

// gate lets one snapshot of a volume through at a time, and not before the
// volume's next is allowed.
type gate struct {
	turn  turn
	users int       // guarded by lane.mu
	next  time.Time // guarded by turn
}

// gate returns the volume's, to be given back with ungate.
func (n *lane) gate(volume string) *gate {
	n.mu.Lock()
	defer n.mu.Unlock()
	g := n.gates[volume]
	if g == nil {
		n.forget()
		g = &gate{turn: newTurn()}
		n.gates[volume] = g
	}
	g.users++
	return g
}

func (n *lane) ungate(g *gate) {
	n.mu.Lock()
	defer n.mu.Unlock()
	g.users--
}

// manyGates is when gates that nobody needs are looked for.
const manyGates = 1024

// forget drops gates nobody uses; their time to wait is over when it is reached.
func (n *lane) forget() {
	if len(n.gates) < manyGates {
		return
	}
	for id, g := range n.gates {
		if g.users == 0 && time.Until(g.next) <= 0 {
			delete(n.gates, id)
		}
	}
}

// enter waits until the volume may be snapshotted and holds its gate.
func (n *lane) enter(ctx context.Context, v Volume, count counter) (*gate, error) {
	g := n.gate(v.ID)
	if err := g.turn.lock(ctx); err != nil {
		n.ungate(g)
		return nil, err
	}
	err := sleepUntil(ctx, g.next)
	if err == nil {
		err = n.slots.awaitVolume(ctx, v.ID, n.perVolume(v.Type), count)
	}
	if err != nil {
		n.leave(g)
		return nil, err
	}
	return g, nil
}

func (n *lane) leave(g *gate) {
	g.turn.unlock()
	n.ungate(g)
}

func (n *lane) perVolume(kind string) int {
	if kind == "st1" || kind == "sc1" {
		return min(quotaPerHDD, n.limits.PerVolume)
	}
	return n.limits.PerVolume
}

func sleepUntil(ctx context.Context, t time.Time) error {
	if wait := time.Until(t); wait > 0 {
		return sleep(ctx, wait)
	}
	return nil
}
