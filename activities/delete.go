package activities

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/deletion"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
)

// Delete holds what the activities of DeleteBackup depend on.
type Delete struct {
	Runner *deletion.Runner
}

// PlanDelete finds the backup and its snapshots, and writes its tombstone.
func (d *Delete) PlanDelete(ctx context.Context, _ *heartbeat.Recorder, in contract.DeleteBackupInput) (contract.DeletePlan, error) {
	return d.Runner.PlanDelete(ctx, in)
}

// DeleteSnapshots deletes the snapshots that the tombstone names.
func (d *Delete) DeleteSnapshots(ctx context.Context, h *heartbeat.Recorder, in contract.DeletePlan) (contract.SnapshotDeletion, error) {
	return d.Runner.DeleteSnapshots(ctx, h, in)
}

// DeleteExpired does what the three others do, for a collection.
func (d *Delete) DeleteExpired(ctx context.Context, h *heartbeat.Recorder, in contract.DeleteBackupInput) (contract.DeleteResult, error) {
	return d.Runner.DeleteExpired(ctx, h, in)
}

// DeleteFiles removes the backup's files, and the tombstone last.
func (d *Delete) DeleteFiles(ctx context.Context, h *heartbeat.Recorder, in contract.DeletePlan) (contract.DeleteResult, error) {
	return d.Runner.DeleteFiles(ctx, h, in)
}
