package temporal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

// Schedule is a schedule of backups, or of drills, as Temporal has it. Revision differs between any two that
// differ; it travels in the input of the runs, where a worker finds it again: Temporal keeps a
// memo apart from the schedule, and does not let everybody change it.
type Schedule struct {
	Name   string
	Drills bool
	// Timing is due between From and Until.
	Timing      timing.Timing
	From, Until time.Time

	Jitter    time.Duration
	CatchUp   time.Duration
	BufferOne bool
	Paused    bool
	Note      string
	Revision  string
}

// EnsureSchedule makes Temporal's schedule as s says, unless it is so already. It starts no
// run, and may repeat.
func (c *Client) EnsureSchedule(ctx context.Context, s Schedule) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	description, err := c.sdk.ScheduleClient().GetHandle(ctx, c.scheduleID(s.Drills, s.Name)).Describe(ctx)
	var missing *serviceerror.NotFound
	switch {
	case err == nil && c.revisionOf(&description.Schedule) == s.Revision:
		return nil
	case err != nil && !errors.As(err, &missing):
		return fmt.Errorf("look up schedule %s in Temporal: %w", s.Name, explainError(err))
	}
	if err := c.putSchedule(ctx, c.scheduleOptions(s), nil); err != nil {
		return fmt.Errorf("write schedule %s to Temporal: %w", s.Name, explainError(err))
	}
	return nil
}

// revisionOf is what EnsureSchedule has written, "" for what somebody else has. A pause that
// somebody has set or ended in the UI is a difference: the definition says whether there is one.
func (c *Client) revisionOf(s *client.Schedule) string {
	action, ok := s.Action.(*client.ScheduleWorkflowAction)
	if !ok || len(action.Args) != 1 {
		return ""
	}
	var in contract.ScheduledRunInput
	payload, ok := action.Args[0].(interface{ GetData() []byte })
	if !ok || in.UnmarshalJSON(payload.GetData()) != nil {
		return ""
	}
	if revision, paused := strings.CutSuffix(in.Revision, pausedSuffix); paused == s.State.Paused {
		return revision
	}
	return ""
}

// pausedSuffix marks the revision of a schedule that is paused.
const pausedSuffix = "-paused"

// scheduleID is the id of a schedule, of drills or of backups.
func (c *Client) scheduleID(drills bool, name string) string {
	if drills {
		return contract.DrillScheduleID(c.cluster, name)
	}
	return contract.ScheduleID(c.cluster, name)
}

func (c *Client) scheduleOptions(s Schedule) client.ScheduleOptions {
	workflow, summary := contract.ScheduledBackupWorkflow, "Backup of cluster "
	if s.Drills {
		workflow, summary = contract.ScheduledDrillWorkflow, "Restore drill of cluster "
	}
	revision := s.Revision
	if s.Paused {
		revision += pausedSuffix
	}
	overlap := enumspb.SCHEDULE_OVERLAP_POLICY_SKIP
	if s.BufferOne {
		overlap = enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE
	}
	id := c.scheduleID(s.Drills, s.Name)
	return client.ScheduleOptions{
		ID: id, Spec: specOf(s), Overlap: overlap, CatchupWindow: s.CatchUp, Paused: s.Paused, Note: s.Note,
		Action: &client.ScheduleWorkflowAction{
			ID:            id,
			Workflow:      workflow,
			Args:          []any{contract.ScheduledRunInput{Schedule: s.Name, Revision: revision}},
			TaskQueue:     contract.TaskQueue(c.cluster),
			StaticSummary: summary + c.cluster + " by schedule " + s.Name,
		},
	}
}

// specOf is a timing in the SDK's terms.
func specOf(s Schedule) client.ScheduleSpec {
	if every := s.Timing.Every(); every > 0 {
		return client.ScheduleSpec{Jitter: s.Jitter, Intervals: []client.ScheduleIntervalSpec{{Every: every}}}
	}
	spec := client.ScheduleSpec{StartAt: s.From, EndAt: s.Until, Jitter: s.Jitter}
	for _, r := range s.Timing.Calendar(s.From, s.Until).Rules {
		spec.Calendars = append(spec.Calendars, client.ScheduleCalendarSpec{
			Year: rangesOf(r.Years), Month: rangesOf(r.Months), DayOfMonth: rangesOf(r.Days), DayOfWeek: rangesOf(r.Weekdays),
			Hour: rangesOf(r.Hours), Minute: rangesOf(r.Minutes), Second: []client.ScheduleRange{{Start: 0}},
		})
	}
	return spec
}

func rangesOf(all []timing.Range) []client.ScheduleRange {
	out := make([]client.ScheduleRange, 0, len(all))
	for _, r := range all {
		out = append(out, client.ScheduleRange{Start: r.First, End: r.Last, Step: r.Step})
	}
	return out
}

// HasSchedule says whether Temporal has a schedule.
func (c *Client) HasSchedule(ctx context.Context, id string) (bool, error) {
	_, err := c.sdk.ScheduleClient().GetHandle(ctx, id).Describe(ctx)
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &missing):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look at schedule %s of Temporal: %w", id, explainError(err))
	}
	return true, nil
}

// putSchedule gives a schedule that is there all attributes anew, or creates it. keep may take
// some of the old ones over; nil takes none. One that is there is never created: a server that has
// moved it from one of its engines for schedules to the other may take that for a second one.
func (c *Client) putSchedule(ctx context.Context, o client.ScheduleOptions, keep func(old, now *client.Schedule)) error {
	err := c.updateSchedule(ctx, o, keep)
	var missing *serviceerror.NotFound
	if !errors.As(err, &missing) {
		return err
	}
	_, err = c.sdk.ScheduleClient().Create(ctx, o)
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) { // another worker has created it meanwhile
		return c.updateSchedule(ctx, o, keep)
	}
	return err
}

func (c *Client) updateSchedule(ctx context.Context, o client.ScheduleOptions, keep func(old, now *client.Schedule)) error {
	return c.sdk.ScheduleClient().GetHandle(ctx, o.ID).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			now := &client.Schedule{
				Action: o.Action, Spec: &o.Spec,
				Policy: &client.SchedulePolicies{Overlap: o.Overlap, CatchupWindow: o.CatchupWindow},
				State:  &client.ScheduleState{Paused: o.Paused, Note: o.Note},
			}
			if keep != nil {
				keep(&in.Description.Schedule, now)
			}
			return &client.ScheduleUpdate{Schedule: now}, nil
		},
	})
}

// ScheduleNames are the schedules of the cluster's backups, or of its drills, that Temporal lists.
// Its list may be some seconds old.
func (c *Client) ScheduleNames(ctx context.Context, drills bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	list, err := c.sdk.ScheduleClient().List(ctx, client.ScheduleListOptions{PageSize: 100})
	if err != nil {
		return nil, fmt.Errorf("list the schedules of Temporal: %w", explainError(err))
	}
	var names []string
	for list.HasNext() {
		entry, err := list.Next()
		if err != nil {
			return nil, fmt.Errorf("list the schedules of Temporal: %w", explainError(err))
		}
		if name, ours := strings.CutPrefix(entry.ID, c.scheduleID(drills, "")); ours {
			names = append(names, name)
		}
	}
	return names, nil
}

// DeleteSchedule takes a schedule from Temporal; runs that go on do so. It may repeat.
func (c *Client) DeleteSchedule(ctx context.Context, drills bool, name string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := c.sdk.ScheduleClient().GetHandle(ctx, c.scheduleID(drills, name)).Delete(ctx)
	var missing *serviceerror.NotFound
	if err != nil && !errors.As(err, &missing) {
		return fmt.Errorf("delete schedule %s in Temporal: %w", name, explainError(err))
	}
	return nil
}

// TriggerSchedule starts a run now, by the schedule's own overlap policy: Temporal's default
// for a trigger is not the schedule's everywhere.
func (c *Client) TriggerSchedule(ctx context.Context, drills bool, name, overlap string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	policy := enumspb.SCHEDULE_OVERLAP_POLICY_SKIP
	if overlap == contract.OverlapBufferOne {
		policy = enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE
	}
	err := c.sdk.ScheduleClient().GetHandle(ctx, c.scheduleID(drills, name)).Trigger(ctx, client.ScheduleTriggerOptions{Overlap: policy})
	if err != nil {
		return fmt.Errorf("trigger schedule %q: %w", name, explainError(err))
	}
	return nil
}

// StartScheduleChange starts a change of schedules; errors as StartBackup.
func (c *Client) StartScheduleChange(ctx context.Context, in contract.ChangeSchedulesInput) (Run, error) {
	opts := c.startOptions(KindSchedules, "")
	opts.StaticSummary = "Change schedules of cluster " + c.cluster
	return c.startRun(ctx, KindSchedules, "", opts, in)
}

// IsRunning tells that a run goes on; one that Temporal does not know does not.
func (c *Connection) IsRunning(ctx context.Context, run contract.Run) (bool, error) {
	info, err := c.findRun(ctx, run)
	return info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, err
}

// EndOf is when a run has ended, zero where Temporal does not know it or it goes on.
func (c *Connection) EndOf(ctx context.Context, run contract.Run) (time.Time, error) {
	info, err := c.findRun(ctx, run)
	if err != nil || info.GetCloseTime() == nil {
		return time.Time{}, err
	}
	return info.GetCloseTime().AsTime().UTC(), nil
}

// findRun describes a run, nil where Temporal does not know it.
func (c *Connection) findRun(ctx context.Context, run contract.Run) (*workflowpb.WorkflowExecutionInfo, error) {
	info, err := c.describeRun(ctx, run.WorkflowID, run.RunID)
	if missing := (*serviceerror.NotFound)(nil); errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe workflow %s: %w", run.WorkflowID, explainError(err))
	}
	return info, nil
}
