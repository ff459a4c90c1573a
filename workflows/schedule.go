package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// ChangeSchedules applies, pauses and deletes schedules. The definitions lie in the bucket; it
// starts no backup and deletes none.
func ChangeSchedules(ctx workflow.Context, in contract.ChangeSchedulesInput) (contract.ChangeSchedulesResult, error) {
	p, err := newProgress(ctx, "Change schedules", "schedules", phaseInProgress)
	if err != nil {
		return contract.ChangeSchedulesResult{}, err
	}
	p.setStep(ctx, "checking the definitions and writing them to the bucket")
	in.Run = thisRun(workflow.GetInfo(ctx)).RunID
	res, err := runActivity(withPromptQueue(withDurableOptions(ctx, "change schedules")), contract.ChangeSchedules, in)
	if err != nil {
		return res, p.setFailure(ctx, stopError(ctx, err))
	}
	p.setStep(ctx, "done")
	return res, p.setPhase(ctx, "Completed")
}

// ScheduledBackup is a run of a schedule: it finds out for which due time it is, waits for its
// turn among the cluster's schedules, takes the backup by a run of its own and records what
// became of the due time. The backup is named after the due time, so that there are never two.
func ScheduledBackup(ctx workflow.Context, in contract.ScheduledRunInput) (contract.ScheduleSlot, error) {
	return runScheduled(ctx, "Backup by schedule "+in.Schedule, in, false, func(ctx workflow.Context, s *scheduledRun) error {
		if err := s.takeTurn(ctx); err != nil {
			return err
		}
		return s.takeBackup(ctx)
	})
}

// ScheduledDrill is a run of a schedule of drills, as ScheduledBackup is one of backups. Drills of a
// cluster never overlap: it waits for the one that goes on as long as its catch-up window allows,
// and is skipped then.
func ScheduledDrill(ctx workflow.Context, in contract.ScheduledRunInput) (contract.ScheduleSlot, error) {
	ctx = workflow.WithPriority(ctx, temporal.Priority{PriorityKey: drillPriority})
	return runScheduled(ctx, "Restore drill by schedule "+in.Schedule, in, true, func(ctx workflow.Context, s *scheduledRun) error {
		return s.runDrill(ctx)
	})
}

// scheduledRun is one run; its methods are the phases.
type scheduledRun struct {
	*progress
	in     contract.ScheduledRunInput
	drills bool
	run    contract.Run
	begun  contract.BegunSlot
	slot   contract.ScheduleSlot
}

// runScheduled finds the due time of a run, has it do what is due, and records the outcome.
func runScheduled(ctx workflow.Context, title string, in contract.ScheduledRunInput, drills bool, do func(workflow.Context, *scheduledRun) error) (contract.ScheduleSlot, error) {
	p, err := newProgress(ctx, title, in.Schedule, phaseInProgress)
	if err != nil {
		return contract.ScheduleSlot{}, err
	}
	s := &scheduledRun{progress: p, in: in, drills: drills, run: thisRun(workflow.GetInfo(ctx))}
	if err := s.beginSlot(ctx); err != nil {
		return s.slot, s.setFailure(ctx, stopError(ctx, err))
	}
	if s.begun.Backup == nil && s.begun.Drill == nil {
		s.setStep(ctx, "nothing to do: "+s.slot.Outcome+": "+s.slot.Reason)
		return s.slot, s.setPhase(ctx, "Completed")
	}
	err = s.endSlot(ctx, do(ctx, s))
	return s.slot, err
}

func (s *scheduledRun) beginSlot(ctx workflow.Context) (err error) {
	s.setStep(ctx, "finding the due time")
	due, known := contract.DueFromID(s.run.WorkflowID)
	if !known {
		due = s.run.Started // started by hand, not by its schedule
	}
	s.begun, err = runActivity(withDurableOptions(ctx, "due time"), contract.BeginSlot,
		contract.BeginSlotInput{Drills: s.drills, Schedule: s.in.Schedule, Due: due, Now: workflow.Now(ctx), Run: s.run})
	s.slot = s.begun.Slot
	return err
}

// takeTurn waits until the run is among those that may take a backup. The workflow's timers do
// the waiting.
func (s *scheduledRun) takeTurn(ctx workflow.Context) error {
	for wait := firstPollWait; ; wait = growBriskWait(wait) {
		turn, err := runActivity(withDurableOptions(ctx, "turn"), contract.TakeTurn,
			contract.TakeTurnInput{Schedule: s.in.Schedule, Due: s.slot.Due, Run: s.run, Location: s.begun.Backup.Spec.StorageLocation})
		if err != nil || turn.Taken {
			return err
		}
		s.setStep(ctx, fmt.Sprintf("waiting for its turn, %d ahead", turn.Ahead))
		if err := workflow.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// withChild has a child workflow of that id end with the run, after its own clean-up.
func (s *scheduledRun) withChild(ctx workflow.Context, id string, memo map[string]any) workflow.Context {
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:          id,
		ParentClosePolicy:   enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		WaitForCancellation: true,
		StaticSummary:       s.title,
		Memo:                memo,
	})
}

func (s *scheduledRun) takeBackup(ctx workflow.Context) error {
	backup := s.begun.Backup
	s.setStep(ctx, "taking backup "+backup.Name)
	ctx = s.withChild(ctx, contract.BackupID(contract.ClusterOf(workflow.GetInfo(ctx).TaskQueueName), backup.Name),
		map[string]any{contract.MemoLabels: backup.Labels, contract.MemoLocation: backup.Spec.StorageLocation})
	var res contract.BackupResult
	err := workflow.ExecuteChildWorkflow(ctx, contract.BackupWorkflow, *backup).Get(ctx, &res)
	s.slot.Phase = res.Phase
	return err
}

// runDrill runs the drill once no other has the id that all drills of the cluster have.
func (s *scheduledRun) runDrill(ctx workflow.Context) error {
	ctx = s.withChild(ctx, contract.DrillID(contract.ClusterOf(workflow.GetInfo(ctx).TaskQueueName)), nil)
	for wait := firstPollWait; ; wait = growBriskWait(wait) {
		var res contract.DrillResult
		s.setStep(ctx, "running the drill")
		child := workflow.ExecuteChildWorkflow(ctx, contract.DrillWorkflow, *s.begun.Drill)
		if err := child.GetChildWorkflowExecution().Get(ctx, nil); !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			err = child.Get(ctx, &res)
			s.slot.Backup, s.slot.Phase = res.Backup, "Completed"
			if !res.Passed() {
				s.slot.Phase, s.slot.Reason = phaseFailed, strings.Join(res.Failures, "; ")
			}
			return err
		}
		left := s.begun.Until.Sub(workflow.Now(ctx))
		if left <= 0 {
			s.slot.Outcome, s.slot.Phase = contract.SlotSkipped, "Completed"
			s.slot.Reason = "overlap: another drill of the cluster went on until " + s.begun.Until.UTC().Format(time.RFC3339)
			return nil
		}
		s.setStep(ctx, "waiting for another drill of the cluster")
		if err := workflow.Sleep(ctx, min(wait, left)); err != nil {
			return err
		}
	}
}

// endSlot records what became of the due time, also of a run that is cancelled.
func (s *scheduledRun) endSlot(ctx workflow.Context, cause error) error {
	s.slot.Ended = workflow.Now(ctx)
	switch {
	case cause != nil:
		cause = stopError(ctx, cause)
		s.slot.Outcome, s.slot.Phase, s.slot.Reason = contract.SlotFailed, failurePhase(cause), errorMessage(cause)
	case s.slot.Outcome == contract.SlotRunning:
		s.slot.Outcome = contract.SlotRan
	}
	detached, cancel := workflow.NewDisconnectedContext(withPromptQueue(ctx))
	defer cancel()
	_, err := runActivity(withDurableOptions(detached, "record"), contract.EndSlot, contract.EndSlotInput{Drills: s.drills, Schedule: s.in.Schedule, Slot: s.slot})
	switch {
	case cause != nil && err != nil:
		return s.setFailure(ctx, cleanUpError(cause, err))
	case cause != nil:
		return s.setFailure(ctx, cause)
	case err != nil:
		return s.setFailure(ctx, err)
	}
	s.setStep(ctx, s.endText())
	return s.setPhase(ctx, s.slot.Phase)
}

func (s *scheduledRun) endText() string {
	switch {
	case !s.drills:
		return fmt.Sprintf("backup %s: %s", s.slot.Backup, s.slot.Phase)
	case s.slot.Outcome == contract.SlotSkipped:
		return "skipped: " + s.slot.Reason
	}
	return fmt.Sprintf("drill with backup %s: %s", s.slot.Backup, s.slot.Phase)
}
