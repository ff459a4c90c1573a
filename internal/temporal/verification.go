package temporal

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// StartVerification starts a verification of backups; errors as StartBackup.
func (c *Client) StartVerification(ctx context.Context, in contract.VerifyBackupsInput) (Run, error) {
	opts := c.startOptions(KindVerify, "")
	opts.StaticSummary = "Verify backups of cluster " + c.cluster
	return c.startRun(ctx, KindVerify, "", opts, in)
}

// EnsureVerificationSchedule makes the schedule by which backups are read back, if it is not
// there, and lets it run at once. A run that lasts longer than a day is followed by the next at
// once: work that is left must not wait for midnight. It may repeat.
func (c *Client) EnsureVerificationSchedule(ctx context.Context) error {
	daily := c.dailySchedule(contract.VerificationScheduleID(c.cluster), contract.VerificationID(c.cluster), contract.VerifyBackupsWorkflow,
		contract.VerifyBackupsInput{Hourly: true}, enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE, "Verify backups")
	return c.ensureSchedule(ctx, daily, "the verification of backups")
}

// RemoveVerificationSchedule removes it, for a worker that is to verify none by itself. It may
// repeat.
func (c *Client) RemoveVerificationSchedule(ctx context.Context) error {
	return c.removeSchedule(ctx, contract.VerificationScheduleID(c.cluster), "the verification of backups")
}
