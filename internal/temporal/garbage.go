package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// collectionCatchUp is how late the run of a day, of the collection or of the verification, may begin after an outage of Temporal.
const collectionCatchUp = 23 * time.Hour

// StartGarbage starts a garbage collection; errors as StartBackup.
func (c *Client) StartGarbage(ctx context.Context, in contract.CollectGarbageInput) (Run, error) {
	opts := c.startOptions(KindGarbage, "")
	opts.StaticSummary = "Delete expired backups of cluster " + c.cluster
	if in.DryRun {
		opts.ID += ":plan"
		opts.StaticSummary = "Look for expired backups of cluster " + c.cluster
	}
	return c.startRun(ctx, KindGarbage, "", opts, in)
}

// StartRetention starts a change of how long a backup is kept; errors as StartBackup.
func (c *Client) StartRetention(ctx context.Context, in contract.SetRetentionInput) (Run, error) {
	opts := c.startOptions(KindRetain, in.Name)
	opts.StaticSummary = "Change how long backup " + in.Name + " is kept"
	return c.startRun(ctx, KindRetain, in.Name, opts, in)
}

// EnsureGarbageSchedule makes the schedule by which expired backups are deleted, if it is
// not there, and lets it run at once. It may repeat.
func (c *Client) EnsureGarbageSchedule(ctx context.Context) error {
	daily := c.dailySchedule(contract.GarbageScheduleID(c.cluster), contract.GarbageID(c.cluster), contract.GarbageWorkflow,
		contract.CollectGarbageInput{Hourly: true}, enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, "Delete expired backups")
	return c.ensureSchedule(ctx, daily, "the deletion of expired backups")
}

// RemoveGarbageSchedule removes it, for a worker that is to delete none by itself. A run that goes
// on is ended by nobody. It may repeat.
func (c *Client) RemoveGarbageSchedule(ctx context.Context) error {
	return c.removeSchedule(ctx, contract.GarbageScheduleID(c.cluster), "the deletion of expired backups")
}

// removeSchedule removes a schedule of the product's own; none is no error. what is the word for
// it in errors.
func (c *Client) removeSchedule(ctx context.Context, id, what string) error {
	err := c.sdk.ScheduleClient().GetHandle(ctx, id).Delete(ctx)
	var missing *serviceerror.NotFound
	if err == nil || errors.As(err, &missing) {
		return nil
	}
	return fmt.Errorf("remove the schedule of %s of cluster %s: %w", what, c.cluster, explainError(err))
}

// ensureSchedule makes a schedule of the product's own, or renews what it runs; it stays
// paused if it is. what is the word for it in errors. It may repeat.
func (c *Client) ensureSchedule(ctx context.Context, o client.ScheduleOptions, what string) error {
	err := c.putSchedule(ctx, o, func(old, now *client.Schedule) {
		now.Policy, now.State = old.Policy, old.State
	})
	if err != nil {
		return fmt.Errorf("schedule %s of cluster %s: %w", what, c.cluster, explainError(err))
	}
	return nil
}

// dailySchedule starts a workflow of the product's own at midnight UTC, and at once when it is
// made. A run begins behind one that lasts longer than a day as overlap says.
func (c *Client) dailySchedule(id, runID, workflow string, input any, overlap enumspb.ScheduleOverlapPolicy, summary string) client.ScheduleOptions {
	return client.ScheduleOptions{
		ID:            id,
		Spec:          client.ScheduleSpec{Calendars: []client.ScheduleCalendarSpec{{Comment: "at midnight UTC"}}},
		Overlap:       overlap,
		CatchupWindow: collectionCatchUp,
		Action: &client.ScheduleWorkflowAction{
			ID:            runID + ":day",
			Workflow:      workflow,
			Args:          []any{input},
			TaskQueue:     contract.TaskQueue(c.cluster),
			StaticSummary: summary + " of cluster " + c.cluster,
		},
		TriggerImmediately: true,
	}
}
