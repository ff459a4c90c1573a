package temporal

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// StartRehearsal starts the rehearsal of a backup; errors as StartBackup.
func (c *Client) StartRehearsal(ctx context.Context, in contract.RehearseInput) (Run, error) {
	opts := c.startOptions(KindRehearsal, in.Backup)
	opts.ID = contract.RehearseInID(c.cluster, in.Backup, in.KubernetesVersion)
	opts.StaticSummary = "Rehearse backup " + in.Backup
	if in.KubernetesVersion != "" {
		opts.StaticSummary += " on Kubernetes " + in.KubernetesVersion
	}
	opts.Memo = memoFields(nil, memoBackup, in.Backup, memoLocation, in.Location)
	return c.startRun(ctx, KindRehearsal, in.Backup, opts, in)
}

// EnsureRehearsalSchedule makes the schedule by which new backups are rehearsed, as
// EnsureGarbageSchedule does: which ones, says after. It may repeat.
func (c *Client) EnsureRehearsalSchedule(ctx context.Context, after string) error {
	return c.ensureSchedule(ctx, c.rehearsalSchedule(after), "the rehearsal of new backups")
}

// RemoveRehearsalSchedule removes it, for a worker that is to rehearse none. It may repeat.
func (c *Client) RemoveRehearsalSchedule(ctx context.Context) error {
	err := c.sdk.ScheduleClient().GetHandle(ctx, contract.RehearsalsID(c.cluster)).Delete(ctx)
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove the schedule of rehearsals of cluster %s: %w", c.cluster, explainError(err))
	}
	return nil
}

func (c *Client) rehearsalSchedule(after string) client.ScheduleOptions {
	return client.ScheduleOptions{
		ID:            contract.RehearsalsID(c.cluster),
		Spec:          client.ScheduleSpec{Calendars: []client.ScheduleCalendarSpec{{Comment: "at midnight UTC"}}},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: collectionCatchUp,
		Action: &client.ScheduleWorkflowAction{
			ID:            contract.RehearsalsID(c.cluster) + ":day",
			Workflow:      contract.RehearsalsWorkflow,
			Args:          []any{contract.RehearseBackupsInput{Daily: true, After: after}},
			TaskQueue:     contract.TaskQueue(c.cluster),
			StaticSummary: "Rehearse new backups of cluster " + c.cluster,
		},
		TriggerImmediately: true,
	}
}
