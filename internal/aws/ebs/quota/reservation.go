package quota

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Reservation is room for snapshots of certain volumes: slots below the account's
// limits, the volumes' own gates, and requests. It exists so that a caller waits before
// it quiesces an application and not while that is quiesced. Keep it for that time only:
// what it holds nobody else can use.
type Reservation struct {
	account *Account

	mu         sync.Mutex // snapshots may be asked for in parallel
	gates      map[string]*volumeGate
	unreserved bool // holds room in accountLimiter.unreserved
	slots      int
	tokens     map[string]float64
}

// Reserve waits until a snapshot of each of the volumes can be asked for at once, by a
// request of any of the actions. Of more volumes than the account's limits allow at a
// time, it reserves what they allow. Release must follow. It fails with the context's
// error, or with that of counting pending snapshots.
//
// A caller that holds a reservation uses it for its snapshots: another one, waited for
// meanwhile, may never come.
//
// With one action only, the snapshots are asked for at once, and a limited number of
// such reservations exists.
func (a *Account) Reserve(ctx context.Context, volumes []Volume, actions ...string) (*Reservation, error) {
	r := &Reservation{account: a, gates: map[string]*volumeGate{}, tokens: map[string]float64{}}
	if err := r.fill(ctx, volumes, actions); err != nil {
		r.Release()
		return nil, err
	}
	return r, nil
}

// fill takes the volumes' gates in the order of their ids, so that two reservations
// never wait for one another, and what is shared after them.
func (r *Reservation) fill(ctx context.Context, volumes []Volume, actions []string) (err error) {
	volumes = slices.SortedFunc(slices.Values(volumes), func(a, b Volume) int { return cmp.Compare(a.ID, b.ID) })
	volumes = slices.CompactFunc(volumes, func(a, b Volume) bool { return a.ID == b.ID })
	for _, v := range volumes {
		g, err := r.account.enterGate(ctx, v)
		if err != nil {
			return err
		}
		r.gates[v.ID] = g
	}
	if len(actions) == 1 {
		if err := r.account.unreserved.Acquire(ctx, 1); err != nil {
			return err
		}
		r.unreserved = true
	}
	r.slots, err = r.account.pending.acquire(ctx, len(volumes), r.account.count, func(slots int) error {
		return r.prepay(ctx, actions, float64(slots))
	})
	return err
}

// prepay takes the tokens: one request a volume, or one for all.
func (r *Reservation) prepay(ctx context.Context, actions []string, n float64) error {
	for _, action := range actions {
		tokens := n
		if action == CreateSnapshots {
			tokens = 1
		}
		if err := r.account.bucketOf(action).takeTokens(ctx, tokens); err != nil {
			return err
		}
		r.tokens[action] = tokens
	}
	return nil
}

// Release gives back what was not used. It may be called twice.
func (r *Reservation) Release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, g := range r.gates {
		r.account.leaveGate(g)
		delete(r.gates, id)
	}
	if r.unreserved {
		r.account.unreserved.Release(1)
		r.unreserved = false
	}
	r.account.pending.releaseHeld(r.slots)
	r.slots = 0
	for action, tokens := range r.tokens {
		r.account.bucketOf(action).giveBack(tokens)
		delete(r.tokens, action)
	}
}

// PayRequest uses a prepaid request or waits for one.
func (r *Reservation) PayRequest(ctx context.Context, action string) error {
	r.mu.Lock()
	paid := r.tokens[action] >= 1
	if paid {
		r.tokens[action]--
	}
	r.mu.Unlock()
	if paid {
		return nil
	}
	return r.account.TakeRequest(ctx, action)
}

// TakeSlots takes n of the reserved slots for one request, and waits for those it lacks.
// What is left of them goes back with Slots.GiveBack.
func (r *Reservation) TakeSlots(ctx context.Context, n int) (*Slots, error) {
	s := &Slots{r: r}
	r.mu.Lock()
	s.count = min(n, r.slots)
	r.slots -= s.count
	r.mu.Unlock()
	if err := s.acquireMore(ctx, n-s.count); err != nil {
		s.GiveBack()
		return nil, err
	}
	return s, nil
}

// Slots are what one request takes out of a reservation.
type Slots struct {
	r     *Reservation
	count int
}

// acquireMore waits for n more slots. Requests are paid for when they are made.
func (s *Slots) acquireMore(ctx context.Context, n int) error {
	if n <= 0 {
		return nil
	}
	a := s.r.account
	more, err := a.pending.acquire(ctx, n, a.count, func(int) error { return nil })
	s.count += more
	return err
}

// GiveBack returns what was not used to the reservation.
func (s *Slots) GiveBack() {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.slots += s.count
	s.count = 0
}

// Created books what a request made: a slot is pending now for each snapshot, and its
// volume's next one is a while off.
func (s *Slots) Created(made []Snapshot) {
	a := s.r.account
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	for _, snapshot := range made {
		if s.count > 0 {
			s.count--
			a.pending.learnCreated(snapshot.ID, snapshot.VolumeID)
		}
		if g := s.r.gates[snapshot.VolumeID]; g != nil {
			g.next = time.Now().Add(a.limits.Apart)
		}
	}
}

// Refusal is why EC2 takes a request for a snapshot later and not now.
type Refusal int

// The refusals that a quota knows.
const (
	VolumeBusy  Refusal = iota // too many of the volume are pending
	TooSoon                    // the volume's last one was a moment ago
	AccountFull                // too many of the account are pending
)

// AwaitRetry waits after the refusal of a request, the number-th in a row, until it may
// be made again. After one for want of slots, it queues for new ones.
func (s *Slots) AwaitRetry(ctx context.Context, why Refusal, number int) error {
	a := s.r.account
	wait := min(time.Second<<min(number-1, 4), a.limits.Apart)
	lost := 0
	switch why {
	case AccountFull:
		lost, wait = s.count, time.Second // what made it full shows by then
		s.count = 0
		a.pending.learnRefused(lost)
	case TooSoon:
		wait = a.limits.Apart
	}
	if err := waitFor(ctx, nil, wait); err != nil {
		return err
	}
	return s.acquireMore(ctx, lost)
}
