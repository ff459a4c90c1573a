package ebs

import (
	"context"
	"sync"
	"time"
)

// counter asks EC2 which snapshots of the account are pending, and of the given
// ones, which EC2 knows in whatever state.
type counter func(ctx context.Context, ids []string) (pending, known map[string]Snapshot, err error)

// Numbers of the count of pending snapshots.
const (
	// fresh is how old a count may be while there is room.
	fresh = 10 * time.Second
	// slowest is the longest pause between two counts that show nothing new.
	slowest = 2 * time.Second
	// unseen is how long a snapshot EC2 does not show is taken for one that it
	// does not show yet.
	unseen = 2 * time.Minute
	// strangers is what is left free once somebody else's pending snapshots are
	// seen: they count, as we do, before they create.
	strangers = 5
	// recently made snapshots of others took requests out of the bucket that we
	// draw from.
	recently = 20 * time.Second
	// alone and among strangers, a count is good for so many new snapshots.
	goodFor       = 25
	goodForAmong  = 8
	leastGoodFor  = 2
	shareOfAFloor = 4 // among strangers also for no more than this part of the room
	// hiddenFor is how long a refusal at a count that had room is remembered.
	// Snapshots deleted while pending count on, and nobody can see them.
	hiddenFor = 20 * time.Second
)

// slots counts the account's pending snapshots. The account itself is the state
// that all workers and clusters share; what this process made or is about to
// make counts from the moment it is decided.
type slots struct {
	turn   turn // who holds it waits for room: first come, first served
	limits Limits

	mu      sync.Mutex
	own     map[string]ownSnapshot
	foreign map[string]string // pending ones of others: snapshot to volume
	held    int               // promised, not yet created
	suspect bool              // EC2 refused one where we saw room
	hidden  int               // taken up by what we cannot see
	until   time.Time         // when hidden is forgotten
	counted time.Time         // when the last count that is believed began
	asked   time.Time         // when the last count of all began
	granted int               // since counted
	changed chan struct{}     // closed when there may be more room

	// others is told how many snapshots somebody else made, or -1 when one of
	// them turns out to be ours.
	others func(n int)
}

type ownSnapshot struct {
	volume string
	since  time.Time
}

func newSlots(l Limits, others func(n int)) *slots {
	return &slots{turn: newTurn(), limits: l, others: others, own: map[string]ownSnapshot{}, foreign: map[string]string{}, changed: make(chan struct{})}
}

// acquire waits for n free slots, at most as many as there can be, and then for
// pay, all in order of arrival: nobody else takes a slot while one waits for his
// requests. It returns how many slots it took.
func (s *slots) acquire(ctx context.Context, n int, count counter, pay func(slots int) error) (int, error) {
	if err := s.turn.lock(ctx); err != nil {
		return 0, err
	}
	defer s.turn.unlock()
	took, err := s.takeFree(ctx, n, count)
	if err != nil {
		return 0, err
	}
	if err := pay(took); err != nil {
		s.release(took)
		return 0, err
	}
	return took, nil
}

func (s *slots) takeFree(ctx context.Context, n int, count counter) (took int, err error) {
	err = s.await(ctx, count, func() bool {
		took = min(n, s.ceiling())
		if s.free() < took {
			return false
		}
		s.held += took
		s.granted += took
		return true
	})
	return took, err
}

// awaitVolume waits until fewer than most snapshots of the volume are pending.
func (s *slots) awaitVolume(ctx context.Context, volume string, most int, count counter) error {
	return s.await(ctx, count, func() bool { return s.ofVolume(volume) < most })
}

// await counts until ok, which runs under the lock, is content with a count that
// is good still.
func (s *slots) await(ctx context.Context, count counter, ok func() bool) error {
	pause := s.limits.Poll
	for {
		s.mu.Lock()
		good, age, changed := s.good(), time.Since(s.asked), s.changed
		done := good && ok()
		s.mu.Unlock()
		rest := pause - age
		if !good {
			rest, changed = s.limits.Poll/2-age, nil // there may be room: only a count can tell
		}
		switch {
		case done:
			return nil
		case rest > 0:
			if err := waitFor(ctx, changed, rest); err != nil {
				return err
			}
			continue
		}
		news, err := s.count(ctx, count)
		if err != nil {
			return err
		}
		if pause = min(2*pause, slowest); news || !good {
			pause = s.limits.Poll
		}
	}
}

// good: the last count is young, and not too much was done on the strength of it.
func (s *slots) good() bool {
	most := goodFor
	if len(s.foreign) > 0 {
		most = max(leastGoodFor, min(goodForAmong, s.free()/shareOfAFloor))
	}
	return time.Since(s.counted) <= fresh && s.granted < most
}

// waitFor ends early when there is news.
func waitFor(ctx context.Context, news <-chan struct{}, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-news:
	case <-t.C:
	}
	return nil
}
