package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/integrity"
)

// corruptMetric is how many stored backups are known to be corrupt.
const corruptMetric = "lifeboat_corrupt_backups"

// Verification holds what the activities of VerifyBackups depend on.
type Verification struct {
	Runner *integrity.Runner
}

// PlanVerification finds the backups that are to be read back. It also sets the metric: that a
// backup is corrupt stays so until somebody deletes or mends it.
func (v *Verification) PlanVerification(ctx context.Context, _ *heartbeat.Recorder, in contract.PlanVerificationInput) (contract.VerificationPlan, error) {
	plan, err := v.Runner.Plan(ctx, in)
	if err == nil && len(in.Names) == 0 && in.Location == "" && activity.IsActivity(ctx) {
		activity.GetMetricsHandler(ctx).Gauge(corruptMetric).Update(float64(plan.Corrupt))
	}
	return plan, err
}

// VerifyStoredBackup reads one of them back.
func (v *Verification) VerifyStoredBackup(ctx context.Context, p *heartbeat.Recorder, in contract.VerifyStoredInput) (contract.VerifiedBackup, error) {
	return v.Runner.Verify(ctx, p, in)
}
