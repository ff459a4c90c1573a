package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// volumeFates decides what becomes of each PV (velero.md D6). A volume whose data
// is not in the backup and whose reclaim policy is not Delete still exists: its PV
// is restored as it is. All others are provisioned anew. What the volumeinfo file
// does not say, as before Velero 1.13, the PV objects themselves tell.
func volumeFates(ctx context.Context, src store.Store, arc *archive.Archive, backup string) (map[string]resource.Fate, error) {
	fates := map[string]resource.Fate{}
	err := walkResource(ctx, arc, pvResource, func(_ archive.Entry, body []byte) error {
		var pv map[string]any
		if err := json.Unmarshal(body, &pv); err != nil {
			return fmt.Errorf("%w: a PersistentVolume is no JSON: %w", archive.ErrCorrupt, err)
		}
		v, _ := volumeOf(pvResource, pv)
		fates[v.PV] = fate(v.ReclaimPolicy)
		return nil
	})
	if err != nil {
		return nil, err
	}
	infos, err := readVolumeInfo(ctx, src, arc.Manifest(), archive.Layout{Backup: backup}.VolumeInfo())
	for _, v := range infos {
		if v.BackupMethod != "" {
			fates[v.PVName] = resource.FateDynamic
		} else if v.PVInfo.ReclaimPolicy != "" {
			fates[v.PVName] = fate(v.PVInfo.ReclaimPolicy)
		}
	}
	return fates, err
}

func fate(reclaimPolicy string) resource.Fate {
	if reclaimPolicy == "" || reclaimPolicy == "Delete" {
		return resource.FateDynamic
	}
	return resource.FateKeep
}

// walkResource calls fn for every object of one resource.
func walkResource(ctx context.Context, arc *archive.Archive, gr string, fn func(archive.Entry, []byte) error) error {
	for _, m := range arc.With(gr) {
		err := arc.Walk(ctx, m, m+1, func(_ int, e archive.Entry, body []byte) error {
			if e.Resource != gr {
				return nil
			}
			return fn(e, body)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readVolumeInfo reads the file; none, or null, is no entries. In a backup of ours
// it has to be what the manifest says.
func readVolumeInfo(ctx context.Context, src store.Store, m archive.Manifest, key string) (infos []volumeInfo, err error) {
	data, err := getBytes(ctx, src, key)
	listed, ours := m.File(key)
	switch {
	case errors.Is(err, store.ErrNotFound) && !ours:
		return nil, nil
	case errors.Is(err, store.ErrNotFound):
		return nil, fmt.Errorf("%s: %w: the manifest lists it and it is gone", key, archive.ErrCorrupt)
	case err != nil:
		return nil, err
	case ours && archive.Digest(data) != listed.SHA256:
		return nil, fmt.Errorf("%s: %w: digest differs", key, archive.ErrCorrupt)
	}
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		err = json.NewDecoder(io.LimitReader(zr, maxDocument)).Decode(&infos)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", key, archive.ErrCorrupt, err)
	}
	return infos, nil
}
