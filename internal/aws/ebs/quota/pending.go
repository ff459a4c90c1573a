package quota

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Numbers of the count of pending snapshots.
const (
	// countFresh is how old a count may be while there is room.
	countFresh = 10 * time.Second
	// countSlowest is the longest pause between two counts that show nothing new.
	countSlowest = 2 * time.Second
	// otherWriters is what is left free once somebody else's pending snapshots are
	// seen: they count, as we do, before they create.
	otherWriters = 5
	// recentlyMade snapshots of others took requests out of the bucket that we draw
	// from.
	recentlyMade = 20 * time.Second
	// Alone and among others, a count is good for so many new snapshots.
	goodFor        = 25
	goodForAmong   = 8
	leastGoodFor   = 2
	shareOfTheRoom = 4 // among others also for no more than this part of what is free
	// invisibleFor is how long a refusal at a count that had room is remembered.
	// Snapshots deleted while pending count on, and nobody can see them.
	invisibleFor = 20 * time.Second
)

// pendingQuota counts the account's pending snapshots. The account itself is the state
// that all workers and clusters share, and what a CSI driver has still to make is shared
// by its cluster; what this process made or is about to make counts from the moment it
// is decided.
type pendingQuota struct {
	fifo   *semaphore.Weighted // who holds it waits for slots, see enterQueue
	limits Limits

	mu        sync.Mutex
	own       map[string]ownSnapshot
	others    map[string]string // pending ones of others: snapshot to volume
	held      int               // promised to who calls EC2 himself, not yet created
	driver    driverSlots
	refused   bool          // EC2 refused one where we saw room
	invisible int           // taken up by what we cannot see
	until     time.Time     // when invisible is forgotten
	counted   time.Time     // when the last count that is believed began
	asked     time.Time     // when the last count of all began
	uncounted time.Time     // until when EC2 is not asked by who can do without
	granted   int           // since counted
	changed   chan struct{} // closed when there may be more room

	// onOthers is told how many snapshots somebody else made, or -1 when one of them
	// turns out to be ours.
	onOthers func(n int)
}

type ownSnapshot struct {
	volume string
	since  time.Time
}

func newPendingQuota(l Limits, onOthers func(n int)) *pendingQuota {
	return &pendingQuota{
		fifo: semaphore.NewWeighted(1), limits: l, onOthers: onOthers, own: map[string]ownSnapshot{}, others: map[string]string{},
		changed: make(chan struct{}), driver: driverSlots{reserved: map[string]*driverSlot{}},
	}
}

// acquire waits for n free slots, at most as many as there can be, and then for pay, all
// in order of arrival: nobody else takes a slot while one waits for his requests. It
// returns how many slots it took.
func (q *pendingQuota) acquire(ctx context.Context, n int, count Counter, pay func(slots int) error) (int, error) {
	leave, err := q.enterQueue(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	took, err := q.takeFree(ctx, n, count)
	if err != nil {
		return 0, err
	}
	if err := pay(took); err != nil {
		q.releaseHeld(took)
		return 0, err
	}
	q.noteReserved(ctx, took)
	return took, nil
}

func (q *pendingQuota) takeFree(ctx context.Context, n int, count Counter) (took int, err error) {
	err = q.await(ctx, count, func() bool {
		took = min(n, q.ceiling())
		if q.free(true) < took {
			return false
		}
		q.held += took
		q.granted += took
		return true
	})
	return took, err
}

// awaitVolume waits until fewer than most snapshots of the volume are pending.
func (q *pendingQuota) awaitVolume(ctx context.Context, volume string, most int, count Counter) error {
	return q.await(ctx, count, func() bool { return q.ofVolume(volume) < most })
}

// await counts until ok, which runs under the lock, is content with a count that is good
// still.
func (q *pendingQuota) await(ctx context.Context, count Counter, ok func() bool) error {
	pause := q.limits.Poll
	for {
		q.mu.Lock()
		good, age, changed := q.isGood(), time.Since(q.asked), q.changed
		done := good && ok()
		q.mu.Unlock()
		rest := pause - age
		if !good {
			rest, changed = q.limits.Poll/2-age, nil // there may be room: only a count can tell
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
		q.relistOutstanding(ctx)
		news, err := q.recount(ctx, count)
		if err != nil {
			return err
		}
		if pause = min(2*pause, countSlowest); news || !good {
			pause = q.limits.Poll
		}
	}
}

// isGood: the last count is young, and not too much was done on the strength of it.
func (q *pendingQuota) isGood() bool {
	most := goodFor
	if len(q.others) > 0 {
		most = max(leastGoodFor, min(goodForAmong, q.free(true)/shareOfTheRoom))
	}
	return time.Since(q.counted) <= countFresh && q.granted < most
}

// ceiling is how many can be free at best; at least one, or nothing would ever be tried.
func (q *pendingQuota) ceiling() int {
	margin := 0
	if len(q.others) > 0 {
		margin = otherWriters
	}
	if time.Now().After(q.until) {
		q.invisible = 0
	}
	return max(1, q.limits.Pending-margin)
}

// free is how many more may be asked for. counted tells that EC2 can be asked.
func (q *pendingQuota) free(counted bool) int {
	used := q.used(counted)
	if room := q.ceiling() - used - q.invisible; room > 0 || used > 0 {
		return room
	}
	return 1 // nothing is pending that we know of: only a try can tell
}

// used is how many slots are taken, as far as anybody can see. Where EC2 can be asked,
// it counts what drivers have made, and else the cluster does.
func (q *pendingQuota) used(counted bool) int {
	waiting, made := q.driver.unreserved()
	used := q.held + len(q.driver.reserved) + waiting
	if counted {
		return used + len(q.own) + len(q.others)
	}
	return used + made
}

func (q *pendingQuota) ofVolume(volume string) int {
	n := q.driver.ofVolume(volume)
	for _, o := range q.own {
		if o.volume == volume {
			n++
		}
	}
	for _, v := range q.others {
		if v == volume {
			n++
		}
	}
	return n
}

// waitFor ends early when there is news.
func waitFor(ctx context.Context, news <-chan struct{}, d time.Duration) error {
	if d <= 0 {
		return nil
	}
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
