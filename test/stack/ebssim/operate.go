package ebssim

import (
	"fmt"
	"io/fs"
)

// MoveSnapshot puts a snapshot into a state at once: pending (stuck), completed,
// error, or completed in the archive tier.
func (s *Sim) MoveSnapshot(id, state string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap, ok := s.snapshots[id]
	if !ok {
		return fmt.Errorf("snapshot %s: %w", id, fs.ErrNotExist)
	}
	now := s.clock.Now()
	switch state {
	case statePending:
		snap.Stuck = true
	case stateCompleted, stateError:
		snap.Stuck, snap.Fails, snap.Completes = false, state == stateError, now
	case stateArchived:
		snap.Stuck, snap.Fails, snap.Completes, snap.Archived = false, false, now, true
	case stateShared:
		snap.Stuck, snap.Fails, snap.Completes, snap.Owner = false, false, now, otherAccount
	default:
		return fmt.Errorf("state: %q is none of pending, completed, error, archived, shared", state)
	}
	return s.journal.Put(kindSnapshot, id, snap)
}

// SetRecycleBin replaces the retention rules. What is in the bin stays as long as
// it was told.
func (s *Sim) SetRecycleBin(rules []RetentionRule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recycleBin = rules
}

// DestroyVolume makes a volume vanish, attached or not: a disk that is lost.
func (s *Sim) DestroyVolume(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.volumes[id]; !ok {
		return fmt.Errorf("volume %s: %w", id, fs.ErrNotExist)
	}
	return s.removeVolume(id)
}
