package beside

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Seen is what the search for orphans has seen of a location. What no backup names is an
// orphan, and a backup that is no longer listed names nothing: that is believed only where
// Lifeboat has deleted it, or a person has said that it went on purpose.
type Seen struct {
	Since   time.Time `json:"since"`   // of the first search
	Backups int       `json:"backups"` // of the last list, less those that were deleted since
	At      time.Time `json:"at"`      // of the last list that had others than the one before
	// Known are Lifeboat's backups that were listed and that nobody has deleted by Lifeboat
	// since. It is nil where an older worker wrote the file, which counted only.
	Known []KnownBackup `json:"known"`
	// Deletions makes each deletion a change of the file, so that a list that was begun before
	// brings back none of what was deleted meanwhile.
	Deletions int `json:"deletions,omitempty"`

	version string // of the file
}

// KnownBackup is a backup that was listed.
type KnownBackup struct {
	Name    string `json:"name"`
	UID     string `json:"uid"`
	Cluster string `json:"cluster,omitempty"` // "" where its document does not tell
}

// ReadSeen is what was seen of a location; nil where nobody has searched it, and where the file
// is damaged: the grace period begins anew.
func ReadSeen(ctx context.Context, st store.Store) (*Seen, error) {
	var s Seen
	var err error
	s.version, err = repository.GetVersion(ctx, st, layout.SeenKey, &s)
	if errors.Is(err, store.ErrNotFound) || archive.IsDamaged(err) {
		return nil, nil
	}
	return &s, err
}

// RecordSeen remembers the backups that a list had, which was begun after s was read. Those that
// were known and are not listed stay known. Where a backup was deleted meanwhile, the next round
// remembers; a shorter list than an older worker has counted is not believed. It may repeat.
func RecordSeen(ctx context.Context, st store.Store, s *Seen, listed []repository.BackupEntry, at time.Time) error {
	next := Seen{Since: at, Known: []KnownBackup{}}
	var o store.PutOptions
	if s != nil {
		if s.Known == nil && len(listed) < s.Backups {
			return nil
		}
		next, o.IfMatch = *s, s.version
		next.Known = append([]KnownBackup{}, s.Known...)
	}
	next.add(listed)
	if len(listed) > 0 {
		next.Backups = len(listed)
	}
	if s != nil && s.Known != nil && s.Backups == next.Backups && slices.Equal(s.Known, next.Known) {
		return nil
	}
	next.At = at
	err := repository.PutJSON(ctx, st, layout.SeenKey, next, o)
	if errors.Is(err, store.ErrChanged) {
		return nil
	}
	return err
}

// add adds those of Lifeboat's that are not known yet.
func (s *Seen) add(listed []repository.BackupEntry) {
	known := make(map[string]bool, len(s.Known))
	for _, b := range s.Known {
		known[b.UID] = true
	}
	for _, e := range listed {
		if e.Ours && e.UID != "" && !known[e.UID] {
			s.Known = append(s.Known, KnownBackup{Name: e.Name, UID: e.UID, Cluster: e.Cluster})
		}
	}
}

// Missing are the backups that were listed before and that neither a list nor a deletion in
// progress has. One whose document is damaged is there.
func (s *Seen) Missing(listed []repository.BackupEntry, deleting map[string]*Tombstone) (missing []KnownBackup) {
	if s == nil {
		return nil
	}
	there, unreadable := map[string]bool{}, map[string]bool{}
	for _, e := range listed {
		there[e.UID] = true
		unreadable[e.Name] = e.UID == ""
	}
	for _, b := range s.Known {
		t := deleting[b.Name]
		if !there[b.UID] && !unreadable[b.Name] && (t == nil || t.UID != b.UID) {
			missing = append(missing, b)
		}
	}
	return missing
}

// CountDeletion remembers that Lifeboat has deleted a backup, so that lists are believed which do
// not have it. It may repeat.
func CountDeletion(ctx context.Context, st store.Store, uid string) error {
	for {
		s, err := ReadSeen(ctx, st)
		if s == nil || err != nil {
			return err
		}
		s.Known = slices.DeleteFunc(s.Known, func(b KnownBackup) bool { return b.UID == uid })
		s.Backups = max(s.Backups-1, 0)
		s.Deletions++
		err = repository.PutJSON(ctx, st, layout.SeenKey, s, store.PutOptions{IfMatch: s.version})
		if errors.Is(err, store.ErrChanged) {
			continue // another deletion was faster
		}
		if err != nil {
			return fmt.Errorf("count the deletion: %w", err)
		}
		return nil
	}
}
