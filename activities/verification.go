package activities

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/integrity"
)

// Verification holds what the activities of VerifyBackups depend on.
type Verification struct {
	Runner *integrity.Runner
}

// PlanVerification finds the backups that are to be read back.
func (v *Verification) PlanVerification(ctx context.Context, _ *heartbeat.Recorder, in contract.PlanVerificationInput) (contract.VerificationPlan, error) {
	return v.Runner.Plan(ctx, in)
}

// VerifyStoredBackup reads one of them back.
func (v *Verification) VerifyStoredBackup(ctx context.Context, p *heartbeat.Recorder, in contract.VerifyStoredInput) (contract.VerifiedBackup, error) {
	return v.Runner.Verify(ctx, p, in)
}
