package repository

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

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
