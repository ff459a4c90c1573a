package beside

import (
	"context"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/change"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// ReadSeries reads what is remembered of a cluster's backups that can be compared with each
// other; nothing is an empty series.
func ReadSeries(ctx context.Context, st store.Store, cluster, series string) (change.Series, error) {
	s, err := repository.ReadSideDocument[change.Series](ctx, st, layout.SeriesKey(cluster, series))
	for _, r := range s.Records {
		if err == nil && (archive.ValidateName(r.Backup) != nil || r.Held != "" && archive.ValidateName(r.Held) != nil) {
			err = fmt.Errorf("read %s: name of a backup: %w", layout.SeriesKey(cluster, series), archive.ErrCorrupt)
		}
	}
	return s, err
}

// WriteSeries writes it. Of two backups of a series that end at the same time one may be lost
// from it: a range then has one measure less.
func WriteSeries(ctx context.Context, st store.Store, cluster, series string, s change.Series) error {
	return repository.PutJSON(ctx, st, layout.SeriesKey(cluster, series), s, store.PutOptions{})
}

// HoldBackup holds a backup until somebody releases it. One that is held already keeps its
// reason, and one that is gone is left alone: held tells whether it is held now. It may repeat.
func HoldBackup(ctx context.Context, st store.Store, backup, uid, reason string) (held bool, err error) {
	m, err := repository.ReadManifest(ctx, st, backup)
	if err != nil || m.UID != uid {
		return false, store.IgnoreNotFound(err)
	}
	r, err := ReadRetention(ctx, st, backup, uid)
	if err != nil || r.Hold != "" {
		return err == nil, err
	}
	r.Hold, r.Set = reason, time.Now().UTC().Truncate(time.Second)
	return true, r.Write(ctx, st)
}
