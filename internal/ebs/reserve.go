package ebs

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Reservation is room for snapshots of certain volumes: slots below the
// account's limits, the volumes' own turns, and requests. It exists so that a
// caller waits before it freezes an application and not while it is frozen.
// Keep it for the time of the freeze only: what it holds nobody else can use.
type Reservation struct {
	location *Location

	mu     sync.Mutex // snapshots may be asked for in parallel
	gates  map[string]*gate
	slots  int
	tokens map[string]float64
}

// Reserve waits until a snapshot of each of the volumes can be asked for at
// once. Of more volumes than the account's limits allow at a time, it reserves
// what they allow. Release must follow. It fails with the context's error, or
// with that of counting pending snapshots.
//
// A caller that holds a reservation uses it for its snapshots, by
// Reservation.Snapshot: another one, waited for meanwhile, may never come.
func (l *Location) Reserve(ctx context.Context, volumes []Volume) (*Reservation, error) {
	r := &Reservation{location: l, gates: map[string]*gate{}, tokens: map[string]float64{}}
	if err := r.fill(ctx, volumes); err != nil {
		r.Release()
		return nil, classify("reserve", "", err)
	}
	return r, nil
}

// fill takes the volumes' turns in the order of their ids, so that two
// reservations never wait for one another, and the shared slots after them.
func (r *Reservation) fill(ctx context.Context, volumes []Volume) (err error) {
	volumes = slices.SortedFunc(slices.Values(volumes), func(a, b Volume) int { return cmp.Compare(a.ID, b.ID) })
	volumes = slices.CompactFunc(volumes, func(a, b Volume) bool { return a.ID == b.ID })
	n := r.location.lane
	for _, v := range volumes {
		if r.gates[v.ID], err = n.enter(ctx, v, r.location.pending); err != nil {
			delete(r.gates, v.ID)
			return err
		}
	}
	if r.slots, err = n.slots.acquire(ctx, len(volumes), r.location.pending); err != nil {
		return err
	}
	return r.prepay(ctx, float64(r.slots))
}

// prepay takes the tokens of either way: one request a volume, or one for all.
func (r *Reservation) prepay(ctx context.Context, n float64) error {
	for action, tokens := range map[string]float64{actionOne: n, actionAll: 1} {
		if err := r.location.lane.take(ctx, action, tokens); err != nil {
			return err
		}
		r.tokens[action] = tokens
	}
	return nil
}

// Release gives back what was not used. It may be called twice.
func (r *Reservation) Release() {
	n := r.location.lane
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, g := range r.gates {
		n.leave(g)
		delete(r.gates, id)
	}
	n.slots.release(r.slots)
	r.slots = 0
	for action, tokens := range r.tokens {
		n.bucket(action).give(tokens)
		delete(r.tokens, action)
	}
}

// pay uses a prepaid token or waits for one.
func (r *Reservation) pay(ctx context.Context, action string) error {
	r.mu.Lock()
	paid := r.tokens[action] >= 1
	if paid {
		r.tokens[action]--
	}
	r.mu.Unlock()
	if paid {
		return nil
	}
	return r.location.lane.take(ctx, action, 1)
}

// hold takes n of the reserved slots out of it, and waits for those it lacks.
func (r *Reservation) hold(ctx context.Context, n int) (held int, err error) {
	r.mu.Lock()
	held = min(n, r.slots)
	r.slots -= held
	r.mu.Unlock()
	if held == n {
		return held, nil
	}
	more, err := r.location.lane.slots.acquire(ctx, n-held, r.location.pending)
	return held + more, err
}

// unhold puts slots back that hold took out and that were not spent.
func (r *Reservation) unhold(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slots += n
}

// spend books created snapshots: their slots are pending now, and their volumes'
// next ones are a while off. It returns how many of the held slots are left.
func (r *Reservation) spend(held int, made ...Snapshot) int {
	n := r.location.lane
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range made {
		if held > 0 {
			held--
			n.slots.created(s.ID, s.VolumeID)
		}
		if g := r.gates[s.VolumeID]; g != nil {
			g.next = time.Now().Add(n.limits.Apart)
		}
	}
	return held
}
