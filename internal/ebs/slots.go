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
	// hiddenFor is how long a refusal at a count that had room is remembered.
	// Snapshots deleted while pending count on, and nobody can see them.
	hiddenFor = time.Minute
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
	hidden  int               // taken up by what we cannot see
	until   time.Time         // when hidden is forgotten
	counted time.Time
	changed chan struct{} // closed when there may be more room
}

type ownSnapshot struct {
	volume string
	since  time.Time
}

func newSlots(l Limits) *slots {
	return &slots{turn: newTurn(), limits: l, own: map[string]ownSnapshot{}, foreign: map[string]string{}, changed: make(chan struct{})}
}

// acquire waits for n free slots, at most as many as there can be, and returns
// how many it took.
func (s *slots) acquire(ctx context.Context, n int, count counter) (int, error) {
	if err := s.turn.lock(ctx); err != nil {
		return 0, err
	}
	defer s.turn.unlock()
	took := 0
	err := s.await(ctx, fresh, count, func() bool {
		took = min(n, s.ceiling())
		if s.free() < took {
			return false
		}
		s.held += took
		return true
	})
	if err != nil {
		return 0, err
	}
	return took, nil
}

// awaitVolume waits until fewer than most snapshots of the volume are pending.
func (s *slots) awaitVolume(ctx context.Context, volume string, most int, count counter) error {
	return s.await(ctx, fresh, count, func() bool { return s.ofVolume(volume) < most })
}

// await counts until ok, which runs under the lock, is content. A count that is
// at most old enough is not repeated.
func (s *slots) await(ctx context.Context, old time.Duration, count counter, ok func() bool) error {
	pause := s.limits.Poll
	for {
		s.mu.Lock()
		age, changed := time.Since(s.counted), s.changed
		done := age <= old && ok()
		s.mu.Unlock()
		switch {
		case done:
			return nil
		case age < pause:
			if err := waitFor(ctx, changed, pause-age); err != nil {
				return err
			}
			continue
		}
		news, err := s.count(ctx, count)
		if err != nil {
			return err
		}
		if pause = min(2*pause, slowest); news {
			pause = s.limits.Poll
		}
	}
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

// count brings the numbers up to date; news tells that something finished.
func (s *slots) count(ctx context.Context, count counter) (news bool, err error) {
	began := time.Now()
	s.mu.Lock()
	ids := sortedKeys(s.own)
	s.mu.Unlock()
	pending, known, err := count(ctx, ids)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.own) + len(s.foreign)
	for _, id := range ids {
		s.settle(id, pending, known)
	}
	s.foreign = map[string]string{}
	for id, p := range pending {
		if _, ours := s.own[id]; !ours {
			s.foreign[id] = p.VolumeID
		}
	}
	s.counted = began
	return len(s.own)+len(s.foreign) < before, nil
}

// settle drops one of ours that is not pending any more.
func (s *slots) settle(id string, pending, known map[string]Snapshot) {
	if _, still := pending[id]; still {
		return
	}
	snap, seen := known[id]
	if seen && snap.State == SnapshotPending || !seen && time.Since(s.own[id].since) < unseen {
		return
	}
	delete(s.own, id)
}

// created turns a held slot into a pending snapshot.
func (s *slots) created(id, volume string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held--
	s.own[id] = ownSnapshot{volume: volume, since: time.Now()}
	delete(s.foreign, id) // a count may have been faster
}

// release gives held slots back.
func (s *slots) release(n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held -= n
	s.wake()
}

// seen learns from any description of a snapshot that it is not pending.
func (s *slots) seen(snap Snapshot) {
	if snap.State == SnapshotPending {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ours := s.own[snap.ID]
	_, others := s.foreign[snap.ID]
	if ours || others {
		delete(s.own, snap.ID)
		delete(s.foreign, snap.ID)
		s.wake()
	}
}

// refused learns that EC2 counts more than we do: all room we saw is none.
func (s *slots) refused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hidden = max(s.hidden, s.limits.Pending-len(s.own)-len(s.foreign))
	s.until, s.counted = time.Now().Add(hiddenFor), time.Time{}
}

func (s *slots) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// ceiling is how many can be free at best; at least one, or nothing would ever
// be tried.
func (s *slots) ceiling() int {
	margin := 0
	if len(s.foreign) > 0 {
		margin = strangers
	}
	if time.Now().After(s.until) {
		s.hidden = 0
	}
	return max(1, s.limits.Pending-margin)
}

func (s *slots) free() int {
	used := len(s.own) + len(s.foreign) + s.held
	if room := s.ceiling() - used - s.hidden; room > 0 || used > 0 {
		return room
	}
	return 1 // nothing is pending that we know of: only a try can tell
}

func (s *slots) ofVolume(volume string) int {
	n := 0
	for _, o := range s.own {
		if o.volume == volume {
			n++
		}
	}
	for _, v := range s.foreign {
		if v == volume {
			n++
		}
	}
	return n
}
