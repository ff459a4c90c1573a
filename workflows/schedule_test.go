package workflows_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/workflows"
)

func newSchedules(t *testing.T) *stage {
	t.Helper()
	in := contract.ChangeSchedulesInput{Pause: []string{"nightly"}}
	s := newStage(t, contract.SchedulesID(cluster))
	s.start = func() { s.env.ExecuteWorkflow(contract.SchedulesWorkflow, in) }
	answer(s, contract.ChangeSchedules, func(in contract.ChangeSchedulesInput) contract.ChangeSchedulesResult {
		return contract.ChangeSchedulesResult{Changes: []contract.ScheduleChange{{Name: in.Pause[0], Outcome: contract.SchedulePaused}}}
	})
	return s
}

func schedulesPhases() []phase { return []phase{{activity: contract.ChangeSchedules.Name}} }

func TestSchedulesPhases(t *testing.T) { testPhases(t, schedulesPhases(), newSchedules) }

func TestSchedules(t *testing.T) {
	s := newSchedules(t)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if in := s.steps()[0].In.(contract.ChangeSchedulesInput); in.Run != runUID {
		t.Errorf("asked with %+v", in)
	}
	if res := resultOf[contract.ChangeSchedulesResult](s); len(res.Changes) != 1 || res.Changes[0].Outcome != contract.SchedulePaused {
		t.Errorf("%+v", res)
	}
}

func scheduledRun(id string) contract.Run {
	return contract.Run{WorkflowID: id, RunID: runUID, Cluster: cluster, Started: startTime()}
}

const scheduledID = "schedule:prod:nightly-2026-03-01T02:00:00Z"

func scheduledSlot() contract.ScheduleSlot {
	return contract.ScheduleSlot{Due: startTime(), Outcome: contract.SlotRunning, Backup: "nightly-20260301020000", Started: startTime(), Run: scheduledRun(scheduledID)}
}

// newScheduled is a run of a schedule that waits once for its turn, and whose backup ends so.
func newScheduled(t *testing.T, res contract.BackupResult, failure error) *stage {
	t.Helper()
	s := newStage(t, scheduledID)
	s.start = func() {
		s.env.ExecuteWorkflow(contract.ScheduledBackupWorkflow, contract.ScheduledRunInput{Schedule: "nightly"})
	}
	answer(s, contract.BeginSlot, always[contract.BeginSlotInput](contract.BegunSlot{Slot: scheduledSlot(), Backup: &contract.BackupInput{Name: "nightly-20260301020000"}}))
	answer(s, contract.TakeTurn, after[contract.TakeTurnInput](contract.Turn{Ahead: 1}, contract.Turn{Taken: true}))
	answer(s, contract.EndSlot, always[contract.EndSlotInput](contract.Nothing{}))
	s.env.OnWorkflow(contract.BackupWorkflow, mock.Anything, mock.Anything).Return(res, failure)
	return s
}

func completed() contract.BackupResult {
	return contract.BackupResult{Name: "nightly-20260301020000", Phase: "Completed"}
}

func failedSlot() step {
	slot := scheduledSlot()
	slot.Outcome = contract.SlotFailed
	return step{contract.EndSlot.Name, contract.EndSlotInput{Schedule: "nightly", Slot: slot}}
}

func scheduledPhases() []phase {
	return []phase{
		{activity: contract.BeginSlot.Name},
		{activity: contract.TakeTurn.Name, cleanUp: []step{failedSlot()}},
		{activity: contract.EndSlot.Name, tooLate: true},
	}
}

func TestScheduledPhases(t *testing.T) {
	testPhases(t, scheduledPhases(), func(t *testing.T) *stage { return newScheduled(t, completed(), nil) })
}

// TestScheduled: the due time comes from Temporal's id, and what became of it is recorded.
func TestScheduled(t *testing.T) {
	s := newScheduled(t, completed(), nil)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if got := names(s.steps()); !slices.Equal(got, []string{"BeginSlot", "TakeTurn", "TakeTurn", "EndSlot"}) {
		t.Error(got)
	}
	if in := s.steps()[0].In.(contract.BeginSlotInput); in.Schedule != "nightly" || !in.Due.Equal(startTime()) || !in.Run.Is(scheduledRun(scheduledID)) {
		t.Errorf("%+v", in)
	}
	if in := s.steps()[3].In.(contract.EndSlotInput); in.Slot.Outcome != contract.SlotRan || in.Slot.Phase != "Completed" || in.Slot.Ended.Before(startTime()) {
		t.Errorf("%+v", in)
	}
	if s.phases[len(s.phases)-1] != "Completed" {
		t.Error(s.phases)
	}
}

// TestScheduledFails: a backup that fails is recorded with its reason, one that is cancelled
// too, and the run ends as the backup did.
func TestScheduledFails(t *testing.T) {
	for name, tc := range map[string]struct {
		failure error
		phase   string
		reason  string // in plain words, and nothing of what the SDK puts around it
	}{
		"refused":    {temporal.NewNonRetryableApplicationError("spec.ttl: negative", contract.ErrTypeInvalid, nil), "FailedValidation", "spec.ttl: negative"},
		"fails":      {errors.New("the store was away"), "Failed", "the store was away"},
		"cancelled":  {temporal.NewCanceledError(), "Canceled", "it was cancelled"},
		"late":       {temporal.NewTimeoutError(enums.TIMEOUT_TYPE_START_TO_CLOSE, nil), "Failed", "it took longer than it may (StartToClose)"},
		"terminated": {new(temporal.TerminatedError), "Failed", "it was terminated"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScheduled(t, contract.BackupResult{}, tc.failure)
			if err := s.run(); err == nil {
				t.Fatal("it does not fail")
			}
			ends := s.callsOf(contract.EndSlot.Name)
			if len(ends) != 1 {
				t.Fatalf("%d records", len(ends))
			}
			slot := ends[0].In.(contract.EndSlotInput).Slot
			if slot.Outcome != contract.SlotFailed || slot.Phase != tc.phase || slot.Reason != tc.reason || s.phases[len(s.phases)-1] != tc.phase {
				t.Errorf("%+v %q", slot, s.phases)
			}
		})
	}
}

// TestScheduledWithoutBackup: a slot that has its outcome already takes no turn.
func TestScheduledWithoutBackup(t *testing.T) {
	s := newScheduled(t, completed(), nil)
	slot := contract.ScheduleSlot{Due: startTime(), Outcome: contract.SlotMissed, Reason: "catch-up"}
	answer(s, contract.BeginSlot, always[contract.BeginSlotInput](contract.BegunSlot{Slot: slot}))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if got := names(s.steps()); !slices.Equal(got, []string{"BeginSlot"}) || !strings.Contains(s.progress().Step, "missed: catch-up") {
		t.Error(got, s.progress())
	}
}

// TestScheduledWaits for hours: rarely enough for its history.
func TestScheduledWaits(t *testing.T) {
	s := newScheduled(t, completed(), nil)
	began := startTime()
	answer(s, contract.TakeTurn, func(contract.TakeTurnInput) contract.Turn {
		return contract.Turn{Taken: s.env.Now().Sub(began) > 4*time.Hour, Ahead: 2}
	})
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if n := len(s.callsOf(contract.TakeTurn.Name)); n > 100 {
		t.Errorf("it asked %d times", n)
	}
}

const drillScheduleID = "drill-schedule:prod:shop-2026-03-01T02:00:00Z"

func scheduledDrill() contract.BegunSlot {
	slot := contract.ScheduleSlot{Due: startTime(), Outcome: contract.SlotRunning, Started: startTime(), Run: scheduledRun(drillScheduleID)}
	return contract.BegunSlot{Slot: slot, Until: startTime().Add(12 * time.Hour), Drill: &contract.DrillInput{Name: "shop", Slot: &contract.DrillSlot{Schedule: "shop", Due: startTime()}}}
}

// newScheduledDrill is a run of a schedule of drills whose drill ends so.
func newScheduledDrill(t *testing.T, res contract.DrillResult, failure error) *stage {
	t.Helper()
	s := newStage(t, drillScheduleID)
	s.start = func() {
		s.env.ExecuteWorkflow(contract.ScheduledDrillWorkflow, contract.ScheduledRunInput{Schedule: "shop"})
	}
	answer(s, contract.BeginSlot, always[contract.BeginSlotInput](scheduledDrill()))
	answer(s, contract.EndSlot, always[contract.EndSlotInput](contract.Nothing{}))
	s.env.OnWorkflow(contract.DrillWorkflow, mock.Anything, mock.Anything).Return(res, failure)
	return s
}

func passedDrill() contract.DrillResult {
	return contract.DrillResult{Name: "shop", Backup: "nightly-1", Verdict: "passed"}
}

func scheduledDrillPhases() []phase {
	return []phase{{activity: contract.BeginSlot.Name}, {activity: contract.EndSlot.Name, tooLate: true}}
}

func TestScheduledDrillPhases(t *testing.T) {
	testPhases(t, scheduledDrillPhases(), func(t *testing.T) *stage { return newScheduledDrill(t, passedDrill(), nil) })
}

// TestScheduledDrill: a drill that has passed, failed or was ended by an error is recorded as that.
func TestScheduledDrill(t *testing.T) {
	failed := passedDrill()
	failed.Verdict, failed.Failures = "failed", []string{"RTO_EXCEEDED: it took 50s"}
	for name, tc := range map[string]struct {
		res            contract.DrillResult
		failure        error
		outcome, phase string
		reason, atLast string
		backup         string
	}{
		"passed":  {passedDrill(), nil, contract.SlotRan, "Completed", "", "Completed", "nightly-1"},
		"failed":  {failed, nil, contract.SlotRan, "Failed", "RTO_EXCEEDED", "Failed", "nightly-1"},
		"refused": {contract.DrillResult{}, temporal.NewNonRetryableApplicationError("no good backup", contract.ErrTypeInvalid, nil), contract.SlotFailed, "FailedValidation", "no good backup", "FailedValidation", ""},
		"stopped": {contract.DrillResult{}, temporal.NewCanceledError(), contract.SlotFailed, "Canceled", "cancel", "Canceled", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScheduledDrill(t, tc.res, tc.failure)
			if err := s.run(); (err != nil) != (tc.failure != nil) {
				t.Fatal(err)
			}
			if in := s.callsOf(contract.BeginSlot.Name)[0].In.(contract.BeginSlotInput); !in.Drills || in.Schedule != "shop" || !in.Due.Equal(startTime()) {
				t.Errorf("%+v", in)
			}
			end := s.callsOf(contract.EndSlot.Name)[0].In.(contract.EndSlotInput)
			if slot := end.Slot; !end.Drills || slot.Outcome != tc.outcome || slot.Phase != tc.phase || !strings.Contains(slot.Reason, tc.reason) || (slot.Reason == "") != (tc.reason == "") || slot.Backup != tc.backup {
				t.Errorf("%+v", end)
			}
			if got := s.phases[len(s.phases)-1]; got != tc.atLast {
				t.Errorf("phase %s", got)
			}
		})
	}
}

// newWaiting is a run of a schedule while another drill goes on for as long as it takes.
func newWaiting(t *testing.T, takes time.Duration) *stage {
	t.Helper()
	s := newStage(t, drillScheduleID)
	answer(s, contract.BeginSlot, always[contract.BeginSlotInput](scheduledDrill()))
	answer(s, contract.EndSlot, always[contract.EndSlotInput](contract.Nothing{}))
	s.env.RegisterWorkflowWithOptions(func(ctx workflow.Context) error { return workflow.Sleep(ctx, takes) }, workflow.RegisterOptions{Name: "Other"})
	s.env.RegisterWorkflowWithOptions(func(ctx workflow.Context) (contract.ScheduleSlot, error) {
		other := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: contract.DrillID(cluster)})
		if err := workflow.ExecuteChildWorkflow(other, "Other").GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return contract.ScheduleSlot{}, err
		}
		return workflows.ScheduledDrill(ctx, contract.ScheduledRunInput{Schedule: "shop"})
	}, workflow.RegisterOptions{Name: "Beside"})
	s.env.OnWorkflow(contract.DrillWorkflow, mock.Anything, mock.Anything).Return(passedDrill(), nil)
	s.start = func() { s.env.ExecuteWorkflow("Beside") }
	return s
}

// TestScheduledDrillWaits: a drill waits for the one that has the id, and is skipped at the end of
// its window, which its history bears.
func TestScheduledDrillWaits(t *testing.T) {
	for takes, outcome := range map[time.Duration]string{4 * time.Hour: contract.SlotRan, 13 * time.Hour: contract.SlotSkipped} {
		s := newWaiting(t, takes)
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
		slot := s.callsOf(contract.EndSlot.Name)[0].In.(contract.EndSlotInput).Slot
		if slot.Outcome != outcome || slot.Phase != "Completed" || (slot.Reason == "") != (outcome == contract.SlotRan) {
			t.Errorf("%+v", slot)
		}
		if outcome == contract.SlotSkipped && (!strings.HasPrefix(slot.Reason, "overlap: another drill") || !slot.Ended.Equal(startTime().Add(12*time.Hour))) {
			t.Errorf("%+v", slot)
		}
		if len(s.waits) == 0 || len(s.waits) > 120 {
			t.Errorf("it looked %d times", len(s.waits))
		}
	}
	s := newWaiting(t, 13*time.Hour)
	s.env.RegisterDelayedCallback(s.env.CancelWorkflow, time.Hour)
	if err := s.run(); err == nil {
		t.Error("a cancel does not end it")
	}
	if slot := s.callsOf(contract.EndSlot.Name)[0].In.(contract.EndSlotInput).Slot; slot.Outcome != contract.SlotFailed || slot.Phase != "Canceled" {
		t.Errorf("%+v", slot)
	}
}
