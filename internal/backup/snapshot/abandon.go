package snapshot

import (
	"context"
	"errors"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/backup/quiesce"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Abandon unquiesces what is quiesced and deletes the snapshots of a backup that will
// not be, for the run itself and for one that takes its name over. It may repeat, and
// spares a backup that was committed.
func Abandon(ctx context.Context, service *backup.Service, ref contract.BackupRef) error {
	run, err := service.Open(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it was not planned, or an attempt of Commit has cleared staging
	}
	if err != nil || len(run.Plan.Volumes.Units) == 0 {
		return err
	}
	if cluster := run.Plan.Run.Cluster; cluster != service.Config.Cluster {
		return failure.Exists("name: a backup %q of cluster %s ended without cleaning up, which only a worker of that cluster can: take one of that name there, or choose another name", ref.Name, cluster)
	}
	var doc velerov1.Backup
	err = repository.GetJSON(ctx, run.Store, run.Layout.Metadata(), &doc)
	if err == nil && string(doc.UID) == ref.UID {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, archive.ErrCorrupt) {
		return err
	}
	for unit := range run.Plan.Volumes.Units {
		if _, err := quiesce.New(service, run, unit).Resume(ctx); err != nil {
			return err
		}
	}
	return dropSnapshots(ctx, service, run)
}

// dropSnapshots deletes all snapshots of the backup, and looks again for those that
// did not show the first time.
func dropSnapshots(ctx context.Context, service *backup.Service, run *backup.Run) error {
	paths, err := service.Snapshotters(ctx, run)
	if err != nil {
		return err
	}
	units, err := run.UnitResults(ctx)
	if err != nil {
		return err
	}
	all := backup.AllSnapshots(units)
	for _, s := range paths {
		if err := s.Discard(ctx, all, nil); err != nil {
			return err
		}
	}
	native, ok := paths[volume.Native]
	if !ok || !mayBeHidden(units) {
		return nil
	}
	if err := poll.Wait(ctx, quota.LookAgainFor); err != nil {
		return err
	}
	return native.Discard(ctx, all, nil)
}

// mayBeHidden tells that a snapshot may have been made that EC2 does not show yet.
func mayBeHidden(units []backup.UnitResult) bool {
	for _, u := range units {
		if len(u.Taken) == 0 {
			return true // its attempt may have been lost a moment ago
		}
		for _, t := range u.Taken {
			if time.Since(t.At) < quota.LookAgainFor {
				return true
			}
		}
	}
	return false
}
