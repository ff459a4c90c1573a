package workflows

import (
	"fmt"

	"go.temporal.io/api/enums/v1"
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
func ScheduledBackup(ctx workflow.Context, in contract.ScheduledBackupInput) (contract.ScheduleSlot, error) {
	p, err := newProgress(ctx, "Backup by schedule "+in.Schedule, in.Schedule, phaseInProgress)
	if err != nil {
		return contract.ScheduleSlot{}, err
	}
	s := &scheduledBackup{progress: p, in: in, run: thisRun(workflow.GetInfo(ctx))}
	if err := s.beginSlot(ctx); err != nil {
		return s.slot, s.setFailure(ctx, stopError(ctx, err))
	}
	if s.backup == nil {
		s.setStep(ctx, "nothing to do: "+s.slot.Outcome+": "+s.slot.Reason)
		return s.slot, s.setPhase(ctx, "Completed")
	}
	err = s.takeTurn(ctx)
	if err == nil {
		err = s.takeBackup(ctx)
	}
	return s.slot, s.endSlot(ctx, err)
}

// scheduledBackup is one run; its methods are the phases.
type scheduledBackup struct {
	*progress
	in     contract.ScheduledBackupInput
	run    contract.Run
	slot   contract.ScheduleSlot
	backup *contract.BackupInput
}

func (s *scheduledBackup) beginSlot(ctx workflow.Context) error {
	s.setStep(ctx, "finding the due time")
	due, known := contract.DueFromID(s.run.WorkflowID)
	if !known {
		due = s.run.Started // started by hand, not by its schedule
	}
	begun, err := runActivity(withDurableOptions(ctx, "due time"), contract.BeginSlot,
		contract.BeginSlotInput{Schedule: s.in.Schedule, Due: due, Now: workflow.Now(ctx), Run: s.run})
	s.slot, s.backup = begun.Slot, begun.Backup
	return err
}

// takeTurn waits until the run is among those that may take a backup. The workflow's timers do
// the waiting.
func (s *scheduledBackup) takeTurn(ctx workflow.Context) error {
	for wait := firstPollWait; ; wait = growBriskWait(wait) {
		turn, err := runActivity(withDurableOptions(ctx, "turn"), contract.TakeTurn,
			contract.TakeTurnInput{Schedule: s.in.Schedule, Due: s.slot.Due, Run: s.run})
		if err != nil || turn.Taken {
			return err
		}
		s.setStep(ctx, fmt.Sprintf("waiting for its turn, %d ahead", turn.Ahead))
		if err := workflow.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func (s *scheduledBackup) takeBackup(ctx workflow.Context) error {
	s.setStep(ctx, "taking backup "+s.backup.Name)
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:          contract.BackupID(contract.ClusterOf(workflow.GetInfo(ctx).TaskQueueName), s.backup.Name),
		ParentClosePolicy:   enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		WaitForCancellation: true,
		StaticSummary:       "Backup by schedule " + s.in.Schedule,
		Memo:                map[string]any{contract.MemoLabels: s.backup.Labels, contract.MemoLocation: s.backup.Spec.StorageLocation},
	})
	var res contract.BackupResult
	err := workflow.ExecuteChildWorkflow(ctx, contract.BackupWorkflow, *s.backup).Get(ctx, &res)
	s.slot.Phase = res.Phase
	return err
}

// endSlot records what became of the due time, also of a run that is cancelled.
func (s *scheduledBackup) endSlot(ctx workflow.Context, cause error) error {
	s.slot.Outcome, s.slot.Ended = contract.SlotRan, workflow.Now(ctx)
	if cause != nil {
		cause = stopError(ctx, cause)
		s.slot.Outcome, s.slot.Phase, s.slot.Reason = contract.SlotFailed, failurePhase(cause), errorMessage(cause)
	}
	detached, cancel := workflow.NewDisconnectedContext(withPromptQueue(ctx))
	defer cancel()
	_, err := runActivity(withDurableOptions(detached, "record"), contract.EndSlot, contract.EndSlotInput{Schedule: s.in.Schedule, Slot: s.slot})
	switch {
	case cause != nil && err != nil:
		return s.setFailure(ctx, cleanUpError(cause, err))
	case cause != nil:
		return s.setFailure(ctx, cause)
	case err != nil:
		return s.setFailure(ctx, err)
	}
	s.setStep(ctx, fmt.Sprintf("backup %s: %s", s.slot.Backup, s.slot.Phase))
	return s.setPhase(ctx, s.slot.Phase)
}
