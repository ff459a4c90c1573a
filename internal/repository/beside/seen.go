package beside

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Seen is what the search for orphans has seen of a location. What no backup names is an
// orphan, and a list that comes back empty names nothing: it is believed only where the list
// before was empty too, or where Lifeboat has deleted what was on it.
type Seen struct {
	Since   time.Time `json:"since"`   // of the first search
	Backups int       `json:"backups"` // of the last list, less those that were deleted since
	At      time.Time `json:"at"`      // of the last list
}

// ReadSeen is what was seen of a location; nil where nobody has searched it.
func ReadSeen(ctx context.Context, st store.Store) (*Seen, error) {
	var s Seen
	err := repository.GetJSON(ctx, st, layout.SeenKey, &s)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &s, err
}

// RecordSeen remembers how many backups a location has. What an empty list would hide stays
// remembered. It may repeat.
func RecordSeen(ctx context.Context, st store.Store, backups int, at time.Time) error {
	s, err := ReadSeen(ctx, st)
	switch {
	case err != nil && !archive.IsDamaged(err):
		return err
	case s == nil || err != nil: // damaged: the grace period begins anew
		s = &Seen{Since: at}
	case s.Backups == backups || backups == 0:
		return nil
	}
	s.Backups, s.At = backups, at
	return repository.PutJSON(ctx, st, layout.SeenKey, s, store.PutOptions{})
}

// CountDeletion remembers that Lifeboat has deleted a backup, so that a list that comes back
// empty afterwards is believed.
func CountDeletion(ctx context.Context, st store.Store) error {
	for {
		var s Seen
		etag, err := repository.GetVersion(ctx, st, layout.SeenKey, &s)
		if errors.Is(err, store.ErrNotFound) || archive.IsDamaged(err) || err == nil && s.Backups <= 0 {
			return nil
		}
		if err == nil {
			s.Backups--
			err = repository.PutJSON(ctx, st, layout.SeenKey, s, store.PutOptions{IfMatch: etag})
		}
		if errors.Is(err, store.ErrChanged) {
			continue // another deletion was faster
		}
		if err != nil {
			return fmt.Errorf("count the deletion: %w", err)
		}
		return nil
	}
}
