package quota

import (
	"context"
	"maps"
	"slices"
	"time"
)

// recount brings the numbers up to date; news tells that something finished. What a
// cluster lists is read before: a snapshot that its driver makes meanwhile counts twice
// for a moment then, and never not at all.
func (q *pendingQuota) recount(ctx context.Context, count Counter) (news bool, err error) {
	began := time.Now()
	q.mu.Lock()
	q.asked = began
	ids := slices.Sorted(maps.Keys(q.own))
	q.mu.Unlock()
	list, err := count(ctx, ids)
	if err != nil {
		return false, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	before := len(q.own) + len(q.others)
	shown := map[string]Snapshot{}
	for _, s := range list {
		shown[s.ID] = s
	}
	for _, id := range ids {
		q.settleOwn(id, shown)
	}
	q.setOthers(shown, began)
	q.driver.dropUnseen(began)
	q.counted, q.granted = began, 0
	q.judgeRefusal()
	return len(q.own)+len(q.others) < before, nil
}

// settleOwn drops one of ours that is not pending any more.
func (q *pendingQuota) settleOwn(id string, shown map[string]Snapshot) {
	s, seen := shown[id]
	if seen && !s.Pending || !seen && time.Since(q.own[id].since) >= VisibleWithin {
		delete(q.own, id)
	}
}

// setOthers keeps those of others and tells how many are new. One that a driver made
// with a reservation of this process is ours from now on.
func (q *pendingQuota) setOthers(shown map[string]Snapshot, now time.Time) {
	old, made := q.others, 0
	q.others = map[string]string{}
	for id, s := range shown {
		if _, ours := q.own[id]; ours || !s.Pending {
			continue
		}
		_, known := old[id]
		if !known && q.driver.settleShown(s.VolumeID) {
			q.own[id] = ownSnapshot{volume: s.VolumeID, since: now}
			continue
		}
		q.others[id] = s.VolumeID
		if !known && now.Sub(s.Started) < recentlyMade {
			made++
		}
	}
	if made > 0 {
		q.onOthers(made)
	}
}

// learnCreated turns a held slot into a pending snapshot.
func (q *pendingQuota) learnCreated(id, volume string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held--
	q.own[id] = ownSnapshot{volume: volume, since: time.Now()}
	if _, mistaken := q.others[id]; mistaken { // a count was faster than the answer
		delete(q.others, id)
		q.onOthers(-1)
	}
}

// releaseHeld gives held slots back.
func (q *pendingQuota) releaseHeld(n int) {
	if n == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held -= n
	q.wake()
}

// learnDescribed learns from any description of a snapshot that it is not pending.
func (q *pendingQuota) learnDescribed(s Snapshot) {
	if s.Pending {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	_, ours := q.own[s.ID]
	_, others := q.others[s.ID]
	if ours || others {
		delete(q.own, s.ID)
		delete(q.others, s.ID)
		q.wake()
	}
}

// learnRefused gives n held slots back for which EC2 had no room. The next count decides
// how much of what looks free is not.
func (q *pendingQuota) learnRefused(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held -= n
	q.refused, q.counted = true, time.Time{}
}

func (q *pendingQuota) isOwn(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, ours := q.own[id]
	return ours
}

// judgeRefusal draws the conclusion from refusals: all that still looks free is taken.
func (q *pendingQuota) judgeRefusal() {
	if !q.refused {
		return
	}
	q.refused = false
	q.invisible = max(0, q.limits.Pending-len(q.own)-len(q.others))
	q.until = time.Now().Add(invisibleFor)
}

func (q *pendingQuota) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}
