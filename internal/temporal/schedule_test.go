package temporal

import (
	"context"
	"slices"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	schedulepb "go.temporal.io/api/schedule/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

func scheduleOf(t *testing.T, cron string) Schedule {
	t.Helper()
	parsed, err := timing.Parse(cron, "")
	if err != nil {
		t.Fatal(err)
	}
	return Schedule{
		Name: "nightly", Timing: parsed, From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC),
		CatchUp: time.Hour, Jitter: time.Minute, Revision: "r1",
	}
}

// TestBackupSchedule: all attributes are set each time, and no zone, which Temporal may not know.
func TestBackupSchedule(t *testing.T) {
	c := &Client{cluster: "prod"}
	s := scheduleOf(t, "CRON_TZ=Asia/Tokyo 30 11 * * *")
	o := c.scheduleOptions(s)
	if o.ID != "schedule:prod:nightly" || o.Overlap != enumspb.SCHEDULE_OVERLAP_POLICY_SKIP || o.CatchupWindow != time.Hour || o.Paused || o.TriggerImmediately || o.Memo != nil {
		t.Errorf("%+v", o)
	}
	if len(o.Spec.Calendars) != 1 || o.Spec.TimeZoneName != "" || o.Spec.Calendars[0].Hour[0].Start != 2 || o.Spec.Calendars[0].Minute[0].Start != 30 || o.Spec.Jitter != time.Minute {
		t.Errorf("%+v", o.Spec)
	}
	s = scheduleOf(t, "@every 6h")
	s.BufferOne, s.Paused = true, true
	o = c.scheduleOptions(s)
	if len(o.Spec.Intervals) != 1 || o.Spec.Intervals[0].Every != 6*time.Hour || o.Overlap != enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE || !o.Paused {
		t.Errorf("%+v", o)
	}
}

// TestRevisionOf: what Temporal tells of a schedule is compared, a pause in the UI too.
func TestRevisionOf(t *testing.T) {
	c := &Client{cluster: "prod"}
	for _, paused := range []bool{false, true} {
		s := scheduleOf(t, "@daily")
		s.Paused = paused
		action := c.scheduleOptions(s).Action.(*client.ScheduleWorkflowAction)
		payload, err := converter.GetDefaultDataConverter().ToPayload(action.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		told := &client.Schedule{Action: &client.ScheduleWorkflowAction{Args: []any{payload}}, State: &client.ScheduleState{Paused: paused}}
		if got := c.revisionOf(told); got != "r1" {
			t.Errorf("paused %t: %q", paused, got)
		}
		told.State.Paused = !paused
		if got := c.revisionOf(told); got != "" {
			t.Errorf("paused %t, and not in the UI: %q", paused, got)
		}
	}
	if got := c.revisionOf(&client.Schedule{Action: &client.ScheduleWorkflowAction{}, State: &client.ScheduleState{}}); got != "" {
		t.Error(got)
	}
}

// scheduleServer is a Temporal that has a schedule or not. It would create one a second time, as a server
// does that has moved it to another engine, unless another worker has created it meanwhile.
type scheduleServer struct {
	server
	has, raced bool
	asked      []string
}

func (s *scheduleServer) DescribeSchedule(context.Context, *workflowservice.DescribeScheduleRequest) (*workflowservice.DescribeScheduleResponse, error) {
	if !s.has {
		return nil, serviceerror.ToStatus(serviceerror.NewNotFound("schedule not found")).Err()
	}
	return &workflowservice.DescribeScheduleResponse{Info: &schedulepb.ScheduleInfo{}, Schedule: &schedulepb.Schedule{
		Spec: &schedulepb.ScheduleSpec{}, Policies: &schedulepb.SchedulePolicies{}, State: &schedulepb.ScheduleState{Paused: true},
		Action: &schedulepb.ScheduleAction{Action: &schedulepb.ScheduleAction_StartWorkflow{StartWorkflow: &workflowpb.NewWorkflowExecutionInfo{
			WorkflowType: &commonpb.WorkflowType{Name: "Other"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
		}}},
	}}, nil
}

func (s *scheduleServer) CreateSchedule(context.Context, *workflowservice.CreateScheduleRequest) (*workflowservice.CreateScheduleResponse, error) {
	s.asked, s.has = append(s.asked, "create"), true
	if s.raced {
		return nil, serviceerror.ToStatus(serviceerror.NewWorkflowExecutionAlreadyStarted("already registered", "", "")).Err()
	}
	return &workflowservice.CreateScheduleResponse{}, nil
}

func (s *scheduleServer) UpdateSchedule(_ context.Context, in *workflowservice.UpdateScheduleRequest) (*workflowservice.UpdateScheduleResponse, error) {
	if in.GetSchedule().GetState().GetPaused() {
		s.asked = append(s.asked, "update, paused")
	} else {
		s.asked = append(s.asked, "update")
	}
	return &workflowservice.UpdateScheduleResponse{}, nil
}

// TestNothingIsCreatedTwice: a schedule that the server has is changed, and created only where it has none.
func TestNothingIsCreatedTwice(t *testing.T) {
	for name, tc := range map[string]struct {
		has, raced bool
		users, own []string
	}{
		"there":   {true, false, []string{"update"}, []string{"update, paused"}},
		"missing": {false, false, []string{"create"}, []string{"create"}},
		"raced":   {false, true, []string{"create", "update"}, []string{"create", "update, paused"}},
	} {
		ensure := func(do func(*Client) error) []string {
			s := &scheduleServer{has: tc.has, raced: tc.raced}
			if err := do(&Client{Connection: connectTo(t, s), cluster: "prod"}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return s.asked
		}
		users := ensure(func(c *Client) error { return c.EnsureSchedule(t.Context(), scheduleOf(t, "@daily")) })
		own := ensure(func(c *Client) error { return c.EnsureGarbageSchedule(t.Context()) })
		if !slices.Equal(users, tc.users) || !slices.Equal(own, tc.own) {
			t.Errorf("%s: %q and %q", name, users, own)
		}
	}
}
