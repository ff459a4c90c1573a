package deletion

import (
	"context"
	"errors"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
)

// DeleteExpired deletes a backup that a collection has chosen: PlanDelete, DeleteSnapshots and
// DeleteFiles. It may repeat: an attempt that was lost has left the backup's document, or its
// tombstone, from which the next goes on. Where there is neither, the deletion has ended; a worker
// whose location is another place leaves it to others.
func (b *Runner) DeleteExpired(ctx context.Context, p *heartbeat.Recorder, in contract.DeleteBackupInput) (contract.DeleteResult, error) {
	if err := b.Locations.CheckPlace(in.Location, in.Place); err != nil {
		return contract.DeleteResult{}, err
	}
	plan, err := b.PlanDelete(ctx, in)
	if errors.Is(err, errNoBackup) {
		return contract.DeleteResult{Name: in.Name}, nil
	}
	if err != nil {
		return contract.DeleteResult{}, err
	}
	var snapshots contract.SnapshotDeletion
	if plan.Snapshots > 0 {
		if snapshots, err = b.DeleteSnapshots(ctx, p, plan); err != nil {
			return contract.DeleteResult{}, err
		}
	}
	res, err := b.DeleteFiles(ctx, p, plan)
	return res.With(snapshots, plan), err
}
