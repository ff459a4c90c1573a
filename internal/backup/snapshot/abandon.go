package snapshot

import (
	"context"
	"errors"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/backup/quiesce"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Abandon thaws what is frozen and deletes the snapshots of a backup that will
// not be, for the run itself and for one that takes its name over. It may repeat, and
// spares a backup that was committed.
func Abandon(ctx context.Context, b *backup.Service, ref contract.BackupRef) error {
	o, err := b.Open(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it was not planned, or an attempt of Commit has cleared staging
	}
	if err != nil || len(o.Plan.Volumes.Units) == 0 {
		return err
	}
	if cluster := o.Plan.Run.Cluster; cluster != b.Config.Cluster {
		return failure.Exists("name: a backup %q of cluster %s ended without cleaning up, which only a worker of that cluster can: take one of that name there, or choose another name", ref.Name, cluster)
	}
	var doc velerov1.Backup
	err = repository.GetJSON(ctx, o.Store, o.Layout.Metadata(), &doc)
	if err == nil && string(doc.UID) == ref.UID {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, archive.ErrCorrupt) {
		return err
	}
	for unit := range o.Plan.Volumes.Units {
		if _, err := quiesce.New(b, o, unit).Resume(ctx); err != nil {
			return err
		}
	}
	return dropSnapshots(ctx, b, o)
}

// dropSnapshots deletes all snapshots of the backup.
func dropSnapshots(ctx context.Context, b *backup.Service, o *backup.Run) error {
	drivers, err := b.Snapshotters(ctx, o)
	if err != nil {
		return err
	}
	units, err := o.UnitResults(ctx)
	if err != nil {
		return err
	}
	all := backup.AllSnapshots(units)
	for _, d := range drivers {
		if err := d.Discard(ctx, all, nil); err != nil {
			return err
		}
	}
	return nil
}
