package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/repository/packed"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// EachEntry reads a list that stands beside the tarball; none, or null, is no entries.
// In a backup of ours it has to be what the manifest says.
func EachEntry[T any](ctx context.Context, src store.Store, m archive.Manifest, key string, fn func(T)) error {
	data, err := GetBytes(ctx, src, key)
	listed, ours := m.File(key)
	switch {
	case errors.Is(err, store.ErrNotFound) && !ours:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%s: %w: the manifest lists it and it is gone", key, archive.ErrCorrupt)
	case err != nil:
		return err
	case ours && archive.Digest(data) != listed.SHA256:
		return fmt.Errorf("%s: %w: digest differs", key, archive.ErrCorrupt)
	}
	entries, err := packed.DecodeList[T](data)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", key, archive.ErrCorrupt, err)
	}
	for _, e := range entries {
		fn(e)
	}
	return nil
}
