package ebs

import (
	"context"
	"time"
)

// count brings the numbers up to date; news tells that something finished.
func (s *slots) count(ctx context.Context, count counter) (news bool, err error) {
	began := time.Now()
	s.mu.Lock()
	s.asked = began
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
	s.setForeign(pending, began)
	s.counted, s.granted = began, 0
	s.judge()
	return len(s.own)+len(s.foreign) < before, nil
}

// setForeign keeps those of others and tells how many are new.
func (s *slots) setForeign(pending map[string]Snapshot, now time.Time) {
	old, made := s.foreign, 0
	s.foreign = map[string]string{}
	for id, p := range pending {
		if _, ours := s.own[id]; ours {
			continue
		}
		s.foreign[id] = p.VolumeID
		if _, known := old[id]; !known && now.Sub(p.Started) < recently {
			made++
		}
	}
	if made > 0 {
		s.others(made)
	}
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
	if _, mistaken := s.foreign[id]; mistaken { // a count was faster than the answer
		delete(s.foreign, id)
		s.others(-1)
	}
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

// refused gives n held slots back for which EC2 had no room. The next count
// decides how much of what looks free is not.
func (s *slots) refused(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held -= n
	s.suspect, s.counted = true, time.Time{}
}

// knows tells that this process made the snapshot and takes it for pending.
func (s *slots) knows(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ours := s.own[id]
	return ours
}

// judge draws the conclusion from refusals: all that still looks free is taken.
func (s *slots) judge() {
	if !s.suspect {
		return
	}
	s.suspect = false
	s.hidden = max(0, s.limits.Pending-len(s.own)-len(s.foreign))
	s.until = time.Now().Add(hiddenFor)
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
