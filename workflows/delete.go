package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// DeleteBackup removes a backup. It is resumable at every point: a tombstone says
// what is under way, and the commit marker goes first, so that no reader ever
// finds a backup of which half is gone.
func DeleteBackup(ctx workflow.Context, in contract.DeleteBackupInput) (contract.DeleteResult, error) {
	p, err := newProgress(ctx, "Delete backup "+in.Name, in.Name, phaseDeleting)
	if err != nil {
		return contract.DeleteResult{}, err
	}
	d := &deletion{progress: p, in: in}
	phases := []func(workflow.Context) error{d.planDelete, d.deleteSnapshots, d.deleteFiles}
	if in.OneActivity {
		phases = []func(workflow.Context) error{d.deleteExpired}
	}
	for _, phase := range phases {
		if err := phase(ctx); err != nil {
			return contract.DeleteResult{}, d.setFailure(ctx, stopError(ctx, err))
		}
	}
	d.setStep(ctx, "done")
	return d.files.With(d.snapshots, d.plan), d.setPhase(ctx, "Deleted")
}

// deletion is one run; its methods are the phases.
type deletion struct {
	*progress
	in        contract.DeleteBackupInput
	plan      contract.DeletePlan
	snapshots contract.SnapshotDeletion
	files     contract.DeleteResult
}

func (d *deletion) planDelete(ctx workflow.Context) error {
	d.setStep(ctx, "finding the backup")
	var err error
	d.plan, err = runActivity(withDurableOptions(ctx, "tombstone"), contract.PlanDelete, d.in)
	return err
}

// deleteSnapshots deletes by the ids that the tombstone has recorded; the commit marker
// goes first here too.
func (d *deletion) deleteSnapshots(ctx workflow.Context) error {
	if d.plan.Snapshots == 0 {
		return nil
	}
	d.setStep(ctx, fmt.Sprintf("deleting %d snapshots", d.plan.Snapshots))
	var err error
	d.snapshots, err = runActivity(withDurableOptions(ctx, "delete snapshots"), contract.DeleteSnapshots, d.plan)
	return err
}

func (d *deletion) deleteFiles(ctx workflow.Context) error {
	d.setStep(ctx, "deleting files")
	var err error
	d.files, err = runActivity(withDurableOptions(ctx, "delete files"), contract.DeleteFiles, d.plan)
	return err
}

// deleteExpired is all phases at once, for a run of which nobody waits for the single steps.
func (d *deletion) deleteExpired(ctx workflow.Context) error {
	d.setStep(ctx, "deleting snapshots and files")
	options := withDurableOptions(ctx, "delete "+d.in.Name)
	if d.in.Within > 0 {
		options = withOneTry(ctx, "delete "+d.in.Name, d.in.Within)
	}
	var err error
	d.files, err = runActivity(options, contract.DeleteExpired, d.in)
	return err
}
