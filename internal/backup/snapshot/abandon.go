package snapshot

import (
	"context"
	"errors"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/backup/quiesce"
	"github.com/lifeboat-backup/lifeboat/internal/binding"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Abandon unquiesces the pods and deletes the snapshots of a backup that will not be. It
// serves the run itself, and one that takes the name of an ended run over. It may repeat,
// and leaves a backup alone that was committed.
func Abandon(ctx context.Context, b *backup.Service, ref contract.BackupRef) error {
	o, err := b.OpenStaged(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil // the backup was not planned, or an attempt of Commit has cleared its staging
	}
	if err != nil || len(o.Plan.Volumes.Units) == 0 {
		return err
	}
	if cluster := o.Plan.Run.Cluster; cluster != b.Config.Cluster {
		return failure.Exists("name: a backup %q of cluster %s ended without cleaning up, which only a worker of that cluster can: take one of that name there, or choose another name", ref.Name, cluster)
	}
	if committed, err := isCommitted(ctx, o, ref); committed || err != nil {
		return err
	}
	if err := resumePods(ctx, b, o); err != nil {
		return err
	}
	return discardSnapshots(ctx, b, o)
}

// resumePods thaws what is frozen. The pods of a cluster that this one replaces are gone;
// those of the same names here were never frozen. A unit that cannot be thawed leaves no other
// one frozen.
func resumePods(ctx context.Context, b *backup.Service, o *backup.Run) error {
	if gone := b.Config.ReplacesCluster; gone != "" && gone == o.Plan.Binding.Cluster {
		return nil
	}
	if err := binding.CheckCluster(ctx, b.Kube, o.Plan.Binding); err != nil {
		return err
	}
	var failed []error
	for unit := range o.Plan.Volumes.Units {
		if _, err := quiesce.New(b, o, unit).Resume(ctx); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// isCommitted reports whether this run has written the Backup document. One that cannot be
// decoded is not its own, since it writes a whole document or none.
func isCommitted(ctx context.Context, o *backup.Run, ref contract.BackupRef) (bool, error) {
	var doc velerov1.Backup
	err := repository.GetJSON(ctx, o.Store, o.Layout.Metadata(), &doc)
	if errors.Is(err, store.ErrNotFound) || archive.IsDamaged(err) {
		return false, nil
	}
	return err == nil && string(doc.UID) == ref.UID, err
}

// discardSnapshots deletes all snapshots of the backup.
func discardSnapshots(ctx context.Context, b *backup.Service, o *backup.Run) error {
	drivers, err := b.Snapshotters(ctx, o)
	if err != nil {
		return err
	}
	units, err := o.UnitResults(ctx)
	if err != nil {
		return err
	}
	return discardByAll(ctx, drivers, backup.AllSnapshots(units))
}

// discardByAll has every driver delete what it took. One that is refused does not keep
// another from it.
func discardByAll(ctx context.Context, drivers volume.Drivers, all []volume.Snapshot) error {
	var failed []error
	for _, d := range drivers {
		if err := d.Discard(ctx, all, nil); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
