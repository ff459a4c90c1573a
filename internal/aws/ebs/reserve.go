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
	asking bool // holds room in lane.asking
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
	return l.reserve(ctx, volumes, actionOne, actionAll)
}

// reserve prepays requests of the actions. With one action only, the snapshots
// are asked for at once, and a limited number of such reservations exists.
func (l *Location) reserve(ctx context.Context, volumes []Volume, actions ...string) (*Reservation, error) {
	r := &Reservation{location: l, gates: map[string]*gate{}, tokens: map[string]float64{}}
	if err := r.fill(ctx, volumes, actions); err != nil {
		r.Release()
		return nil, classify("reserve", "", err)
	}
	return r, nil
}

// fill takes the volumes' turns in the order of their ids, so that two
// reservations never wait for one another, and what is shared after them.
func (r *Reservation) fill(ctx context.Context, volumes []Volume, actions []string) (err error) {
	volumes = slices.SortedFunc(slices.Values(volumes), func(a, b Volume) int { return cmp.Compare(a.ID, b.ID) })
	volumes = slices.CompactFunc(volumes, func(a, b Volume) bool { return a.ID == b.ID })
	n := r.location.lane
	for _, v := range volumes {
		if r.gates[v.ID], err = n.enter(ctx, v, r.location.pending); err != nil {
			delete(r.gates, v.ID)
			return err
		}
	}
	if len(actions) == 1 {
		if err := n.asking.lock(ctx); err != nil {
			return err
		}
		r.asking = true
	}
	r.slots, err = n.slots.acquire(ctx, len(volumes), r.location.pending, func(slots int) error {
		return r.prepay(ctx, actions, float64(slots))
	})
	return err
}

// prepay takes the tokens: one request a volume, or one for all.
func (r *Reservation) prepay(ctx context.Context, actions []string, n float64) error {
	for _, action := range actions {
		tokens := n
		if action == actionAll {
			tokens = 1
		}
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
	if r.asking {
		n.asking.unlock()
		r.asking = false
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

// claim is what one request takes out of a reservation.
type claim struct {
	r     *Reservation
	slots int
}

// claim takes n slots of the reserved ones, and waits for those it lacks. What
// is left of them goes back with giveBack.
func (r *Reservation) claim(ctx context.Context, n int) (*claim, error) {
	c := &claim{r: r}
	r.mu.Lock()
	c.slots = min(n, r.slots)
	r.slots -= c.slots
	r.mu.Unlock()
	if err := c.add(ctx, n-c.slots); err != nil {
		c.giveBack()
		return nil, err
	}
	return c, nil
}

// add waits for n more slots. Requests are paid for when they are made.
func (c *claim) add(ctx context.Context, n int) error {
	if n <= 0 {
		return nil
	}
	more, err := c.r.location.lane.slots.acquire(ctx, n, c.r.location.pending, func(int) error { return nil })
	c.slots += more
	return err
}

func (c *claim) giveBack() {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.slots += c.slots
	c.slots = 0
}

// spend books created snapshots: their slots are pending now, and their volumes'
// next ones are a while off.
func (c *claim) spend(made []Snapshot) {
	n := c.r.location.lane
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	for _, s := range made {
		if c.slots > 0 {
			c.slots--
			n.slots.created(s.ID, s.VolumeID)
		}
		if g := c.r.gates[s.VolumeID]; g != nil {
			g.next = time.Now().Add(n.limits.Apart)
		}
	}
}

// backOff waits after a refusal that is about when and not about what: the
// refused-th in a row. After one for want of slots, the claim queues for new ones.
func (c *claim) backOff(ctx context.Context, code string, refused int) error {
	n := c.r.location.lane
	wait := min(time.Second<<min(refused-1, 4), n.limits.Apart)
	lost := 0
	switch code {
	case codePending:
		lost, wait = c.slots, time.Second // what made it full shows by then
		c.slots = 0
		n.slots.refused(lost)
	case codeApart:
		wait = n.limits.Apart
	}
	if err := sleep(ctx, wait); err != nil {
		return err
	}
	return c.add(ctx, lost)
}
