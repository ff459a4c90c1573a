package activities

import (
	"context"
	"errors"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// showsWithin is how long EC2 hides a snapshot from a list by tags after it was made,
// as far as anybody has seen.
const showsWithin = quota.LookAgainFor

// AbandonVolumes thaws what is frozen and deletes the snapshots of a backup that will
// not be. It may repeat, and spares a backup that was committed.
func (b *Backup) AbandonVolumes(ctx context.Context, _ *heartbeat.Recorder, in contract.AbandonVolumesInput) (contract.Nothing, error) {
	return contract.Nothing{}, b.abandonVolumes(ctx, in.Ref)
}

// abandonVolumes does it, for the run itself and for one that takes its name over.
func (b *Backup) abandonVolumes(ctx context.Context, ref contract.BackupRef) error {
	o, err := b.open(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it was not planned, or an attempt of Commit has cleared staging
	}
	if err != nil || len(o.plan.Volumes.Units) == 0 {
		return err
	}
	if cluster := o.plan.Run.Cluster; cluster != b.Config.Cluster {
		return failure.Exists("name: a backup %q of cluster %s ended without cleaning up, which only a worker of that cluster can: take one of that name there, or choose another name", ref.Name, cluster)
	}
	var doc velerov1.Backup
	err = repository.GetJSON(ctx, o.st, o.layout.Metadata(), &doc)
	if err == nil && string(doc.UID) == ref.UID {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, archive.ErrCorrupt) {
		return err
	}
	for unit := range o.plan.Volumes.Units {
		if _, err := b.newFreezer(o, unit).resume(ctx); err != nil {
			return err
		}
	}
	return b.dropSnapshots(ctx, o)
}

// dropSnapshots deletes all snapshots of the backup, and looks again for those that
// did not show the first time.
func (b *Backup) dropSnapshots(ctx context.Context, o *opened) error {
	paths, err := b.snapshotters(ctx, o)
	if err != nil {
		return err
	}
	units, err := o.units(ctx)
	if err != nil {
		return err
	}
	all := allTaken(units)
	for _, s := range paths {
		if err := s.discard(ctx, all, nil); err != nil {
			return err
		}
	}
	native, ok := paths[volume.Native]
	if !ok || !recent(units) {
		return nil
	}
	if err := poll.Sleep(ctx, showsWithin); err != nil {
		return err
	}
	return native.discard(ctx, all, nil)
}

// recent: a snapshot may have been made that EC2 does not show yet.
func recent(units []unitResult) bool {
	for _, u := range units {
		if len(u.Taken) == 0 {
			return true // its attempt may have been lost a moment ago
		}
		for _, t := range u.Taken {
			if time.Since(t.At) < showsWithin {
				return true
			}
		}
	}
	return false
}

// releaseVolumes takes what stood for CSI snapshots out of the cluster, once the
// backup is committed. It comes before staging is cleared, which tells what there is.
func (b *Backup) releaseVolumes(ctx context.Context, st store.Store, ref contract.BackupRef) error {
	var p backupPlan
	err := repository.NewStaging(st, ref.UID).Get(ctx, repository.PlanFile, &p)
	if errors.Is(err, store.ErrNotFound) {
		return nil // an attempt before this one was here
	}
	if err != nil || p.Volumes.count(volume.CSI) == 0 {
		return err
	}
	units, err := (&opened{stage: repository.NewStaging(st, ref.UID), plan: p}).units(ctx)
	if err != nil {
		return err
	}
	return (&csiSnapshots{kube: b.Kube, plan: p.forDrivers()}).release(ctx, allTaken(units))
}
