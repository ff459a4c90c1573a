package repository

import (
	"context"
	"errors"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// IsUnreadable tells of an error that says the same whenever a document or an index is read again:
// it is not there, as with backups of Velero's, or damaged, or of a format that this program
// cannot read.
func IsUnreadable(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, archive.ErrVersion) || archive.IsDamaged(err)
}

// ReadManifest reads the manifest of a backup: store.ErrNotFound where there is none, as
// of a backup of Velero's, archive.ErrCorrupt where it is damaged.
func ReadManifest(ctx context.Context, st store.Store, backup string) (archive.Manifest, error) {
	key := layout.Backup{Name: backup}.Manifest()
	data, err := GetBytes(ctx, st, key)
	if err != nil {
		return archive.Manifest{}, err
	}
	return archive.DecodeManifest(key, data)
}
