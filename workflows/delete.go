package workflows

import (
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// DeleteBackup removes a backup. It is resumable at every point: a tombstone says
// what is under way, and the commit marker goes first, so that no reader ever
// finds a backup of which half is gone.
func DeleteBackup(ctx workflow.Context, in contract.DeleteBackupInput) (contract.DeleteResult, error) {
	p, err := newProgress(ctx, "Delete backup "+in.Name)
	if err != nil {
		return contract.DeleteResult{}, err
	}
	if err := errors.Join(p.identify(ctx, in.Name), p.phase(ctx, "Deleting")); err != nil {
		return contract.DeleteResult{}, err
	}
	p.step(ctx, "writing the tombstone")
	plan, err := run(durable(ctx, "tombstone"), contract.PlanDelete, in)
	if err != nil {
		return contract.DeleteResult{}, p.failed(ctx, cancelled(ctx, err))
	}
	snapshots, err := deleteSnapshots(ctx, p, plan)
	if err != nil {
		return contract.DeleteResult{}, p.failed(ctx, cancelled(ctx, err))
	}
	p.step(ctx, "deleting files")
	res, err := run(durable(ctx, "delete files"), contract.DeleteFiles, plan)
	if err != nil {
		return res, p.failed(ctx, cancelled(ctx, err))
	}
	res.Snapshots = snapshots.Deleted + snapshots.Gone
	res.Retained = slices.Concat(res.Retained, snapshots.Retained, plan.Unread)
	p.step(ctx, "done")
	return res, p.phase(ctx, "Deleted")
}

// deleteSnapshots deletes by the ids that the tombstone has recorded; the commit marker
// goes first here too.
func deleteSnapshots(ctx workflow.Context, p *progress, plan contract.DeletePlan) (contract.SnapshotDeletion, error) {
	if plan.Snapshots == 0 {
		return contract.SnapshotDeletion{}, nil
	}
	p.step(ctx, fmt.Sprintf("deleting %d snapshots", plan.Snapshots))
	return run(durable(ctx, "delete snapshots"), contract.DeleteSnapshots, plan)
}
