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
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Tombstone says that a deletion has begun; whoever finds one may go on with it. It
// names the snapshots, for the files that do are gone before the deletion ends.
type Tombstone struct {
	Name      string              `json:"name"`
	UID       string              `json:"uid,omitempty"`
	Ended     time.Time           `json:"ended,omitzero"` // when the backup ended
	Snapshots volume.DeletionList `json:"snapshots,omitzero"`
}

// ReadTombstone reads the tombstone of a backup: store.ErrNotFound if it is not being
// deleted.
func ReadTombstone(ctx context.Context, st store.Store, backup string) (Tombstone, error) {
	var t Tombstone
	return t, repository.GetJSON(ctx, st, layout.Tombstone(backup), &t)
}

// ReadTombstones reads all tombstones of a location, by name.
func ReadTombstones(ctx context.Context, st store.Store) (map[string]*Tombstone, error) {
	return repository.ReadSideDocuments[Tombstone](ctx, st, layout.TombstoneDir, layout.Tombstone)
}

// Inherit takes over the snapshots of a deletion that did not end, be it of an earlier
// backup of the name: Velero does not look for tombstones before it makes one.
func (t *Tombstone) Inherit(ctx context.Context, st store.Store) error {
	old, err := ReadTombstone(ctx, st, t.Name)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	t.Snapshots.Merge(old.Snapshots)
	return err
}

// Write writes t in place of the tombstone that lies there. Where there was none and the backup
// is gone meanwhile, the deletion has ended elsewhere, and a tombstone would keep the name taken.
func (t *Tombstone) Write(ctx context.Context, st store.Store) error {
	err := repository.PutJSON(ctx, st, layout.Tombstone(t.Name), t, store.PutOptions{IfAbsent: true})
	if errors.Is(err, store.ErrExists) {
		return repository.PutJSON(ctx, st, layout.Tombstone(t.Name), t, store.PutOptions{})
	}
	if err != nil {
		return err
	}
	_, err = st.Head(ctx, layout.Backup{Name: t.Name}.Metadata())
	if errors.Is(err, store.ErrNotFound) {
		return RemoveTombstone(ctx, st, t.Name, t.UID)
	}
	return err
}

// RemoveTombstone ends the deletion of the backup of that UID. That of another backup of the
// name stays. It may repeat.
func RemoveTombstone(ctx context.Context, st store.Store, backup, uid string) error {
	var t Tombstone
	etag, err := repository.GetVersion(ctx, st, layout.Tombstone(backup), &t)
	if errors.Is(err, store.ErrNotFound) || err == nil && t.UID != uid {
		return nil
	}
	if err == nil || archive.IsDamaged(err) {
		err = st.DeleteMatching(ctx, layout.Tombstone(backup), etag)
	}
	if err != nil && !errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("remove the tombstone of %s: %w", backup, err)
	}
	return nil
}
