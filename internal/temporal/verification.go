package temporal

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

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
	return c.ensureSchedule(ctx, client.ScheduleOptions{
		ID:            contract.VerificationScheduleID(c.cluster),
		Spec:          client.ScheduleSpec{Calendars: []client.ScheduleCalendarSpec{{Comment: "at midnight UTC"}}},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE,
		CatchupWindow: collectionCatchUp,
		Action: &client.ScheduleWorkflowAction{
			ID:            contract.VerificationID(c.cluster) + ":day",
			Workflow:      contract.VerifyBackupsWorkflow,
			Args:          []any{contract.VerifyBackupsInput{Hourly: true}},
			TaskQueue:     contract.TaskQueue(c.cluster),
			StaticSummary: "Verify backups of cluster " + c.cluster,
		},
		TriggerImmediately: true,
	}, "the verification of backups")
}
