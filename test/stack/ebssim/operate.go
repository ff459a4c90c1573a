package ebssim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
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
		snap.Stuck, snap.Fails, snap.Completes, snap.Owner = false, false, now, OtherAccount
	default:
		return fmt.Errorf("state: %q is none of pending, completed, error, archived, shared", state)
	}
	return s.journal.Put(kindSnapshot, id, snap)
}

// RenameSnapshot makes a snapshot the one that an account of the past had, of a volume of the past.
func (s *Sim) RenameSnapshot(id, to, volumeID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap, ok := s.snapshots[id]
	if _, taken := s.snapshots[to]; !ok || taken || !snapshotID.MatchString(to) {
		return fmt.Errorf("snapshot %s, to be named %q: it is not there, or the name is taken or is none", id, to)
	}
	if err := os.Rename(s.snapshotDir(id), s.snapshotDir(to)); err != nil {
		return err
	}
	delete(s.snapshots, id)
	snap.ID, snap.VolumeID = to, volumeID
	s.snapshots[to] = snap
	return errors.Join(s.journal.Put(kindSnapshot, to, snap), s.journal.Delete(kindSnapshot, id))
}

var snapshotID = regexp.MustCompile(`^snap-[0-9a-f]{17}$`)

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
