package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// SetRetention holds a backup, releases it, or gives it another expiration: what was said
// lies beside the backup in the bucket.
func SetRetention(ctx workflow.Context, in contract.SetRetentionInput) (contract.RetentionResult, error) {
	p, err := newProgress(ctx, "Retention of backup "+in.Name, in.Name, phaseInProgress)
	if err != nil {
		return contract.RetentionResult{}, err
	}
	p.setStep(ctx, "writing what was said beside the backup")
	res, err := runActivity(withDurableOptions(ctx, in.Name), contract.SetRetention, in)
	if err != nil {
		return res, p.setFailure(ctx, stopError(ctx, err))
	}
	p.setStep(ctx, "done")
	return res, p.setPhase(ctx, "Completed")
}
