package temporal

import (
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
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
