package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

const (
	// rehearseEvery is how long a new backup waits until somebody looks for it.
	rehearseEvery = 10 * time.Minute
	// rehearsalAttempts bounds how often one is begun: each starts from scratch.
	rehearsalAttempts = 5
	// rehearsalTime is how long one may take, turns that it waits for included.
	rehearsalTime = 2 * time.Hour
)

// RehearseRestore restores all objects of a backup into a disposable control plane, compares
// and removes it: nothing of the cluster is touched. What it finds is its result, and lies
// beside the backup.
func RehearseRestore(ctx workflow.Context, in contract.RehearseInput) (contract.RehearsalResult, error) {
	p, err := newProgress(ctx, "Rehearse backup "+in.Backup, in.Backup, phaseInProgress)
	if err != nil {
		return contract.RehearsalResult{}, err
	}
	p.setStep(ctx, "restoring into a control plane of its own")
	res, err := runActivity(withRehearsalOptions(ctx, in.Backup), contract.RehearseRestore, in)
	if err != nil {
		return res, p.setFailure(ctx, stopError(ctx, err))
	}
	p.Objects, p.TotalObjects, p.Errors = res.Counts.Objects, res.Counts.Objects, res.Errors
	p.setStep(ctx, fmt.Sprintf("done: proven at level %s, with %d errors", levelText(res.Level), res.Errors))
	return res, p.setPhase(ctx, "Completed")
}

func levelText(level string) string {
	if level == "" {
		return "none"
	}
	return level
}

// withRehearsalOptions are those of an activity that repeats from scratch and is not tried for
// hours: what it proves can be proven tomorrow.
func withRehearsalOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: rehearsalTime,
		HeartbeatTimeout:       heartbeatTimeout,
		WaitForCancellation:    true,
		Summary:                summary,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 5 * time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute, MaximumAttempts: rehearsalAttempts,
		},
	})
}

// RehearseBackups rehearses new backups, one after the other, each by a run of its own, which
// goes on if this one ends. One that cannot be rehearsed keeps no other.
func RehearseBackups(ctx workflow.Context, in contract.RehearseBackupsInput) (contract.RehearsedBackups, error) {
	p, err := newProgress(ctx, "Rehearse new backups", "rehearsals", phaseInProgress)
	if err != nil {
		return in.Done, err
	}
	began := workflow.Now(ctx).UTC()
	for {
		p.setStep(ctx, "looking for new backups")
		if err := rehearseRound(ctx, p, &in.Done); err != nil {
			return in.Done, p.setFailure(ctx, stopError(ctx, err))
		}
		p.setStep(ctx, fmt.Sprintf("waiting; %d backups rehearsed, %d could not be", in.Done.Rehearsed, in.Done.Failed))
		if next := workflow.Now(ctx).Add(rehearseEvery).UTC(); !in.Daily || next.YearDay() != began.YearDay() {
			return in.Done, p.setPhase(ctx, "Completed")
		}
		if err := workflow.Sleep(ctx, rehearseEvery); err != nil {
			return in.Done, p.setFailure(ctx, stopError(ctx, err))
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return in.Done, workflow.NewContinueAsNewError(ctx, contract.RehearsalsWorkflow, in)
		}
	}
}

// rehearseRound rehearses what is planned now.
func rehearseRound(ctx workflow.Context, p *progress, done *contract.RehearsedBackups) error {
	plan, err := runActivity(withDurableOptions(ctx, "new backups"), contract.PlanRehearsals, contract.PlanRehearsalsInput{Now: workflow.Now(ctx)})
	if err != nil {
		return err
	}
	for _, in := range plan.Backups {
		p.setStep(ctx, "rehearsing backup "+in.Backup)
		err := workflow.ExecuteChildWorkflow(rehearsalChild(ctx, in), contract.RehearseWorkflow, in).Get(ctx, nil)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil, temporal.IsWorkflowExecutionAlreadyStartedError(err): // somebody rehearses it already
			done.Rehearsed++
		default:
			done.Failed++
		}
	}
	return nil
}

// rehearsalChild has the id that a person's rehearsal would have, so that there are never two.
func rehearsalChild(ctx workflow.Context, in contract.RehearseInput) workflow.Context {
	cluster := contract.ClusterOf(workflow.GetInfo(ctx).TaskQueueName)
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:          contract.RehearseID(cluster, in.Backup),
		ParentClosePolicy:   enums.PARENT_CLOSE_POLICY_ABANDON,
		WaitForCancellation: true,
		StaticSummary:       "Rehearse backup " + in.Backup,
	})
}
