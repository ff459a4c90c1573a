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
	ctx = withPriority(ctx, quietPriority)
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
		Priority:               workflow.GetActivityOptions(ctx).Priority,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 5 * time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute, MaximumAttempts: rehearsalAttempts,
		},
	})
}

// triesADay bounds how often one run tries to rehearse a backup that cannot be: what keeps it,
// such as a control plane that does not start, rarely goes by itself.
const triesADay = 3

// RehearseBackups rehearses new backups, one after the other, each by a run of its own, which
// goes on if this one ends. One that cannot be rehearsed keeps no other.
func RehearseBackups(ctx workflow.Context, in contract.RehearseBackupsInput) (contract.RehearsedBackups, error) {
	ctx = withPriority(ctx, quietPriority)
	p, err := newProgress(ctx, "Rehearse new backups", "rehearsals", phaseInProgress)
	if err != nil {
		return in.Done, err
	}
	r := &rehearsals{progress: p, after: in.After, done: in.Done, tries: map[string]int{}}
	for began := workflow.Now(ctx).UTC(); ; {
		if err := r.round(ctx); err != nil {
			return r.done, r.setFailure(ctx, stopError(ctx, err))
		}
		if !in.Daily || isDayOver(ctx, began) {
			r.setStep(ctx, "done")
			return r.done, r.setPhase(ctx, "Completed")
		}
		r.setStep(ctx, fmt.Sprintf("waiting; %d backups rehearsed, %d could not be", r.done.Rehearsed, r.done.Failed))
		if err := workflow.Sleep(ctx, rehearseEvery); err != nil {
			return r.done, r.setFailure(ctx, stopError(ctx, err))
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			in.Done = r.done
			return r.done, workflow.NewContinueAsNewError(ctx, contract.RehearsalsWorkflow, in)
		}
	}
}

// isDayOver says that the schedule starts the run of the next day before the next look, so that this one
// may end. It starts none at a midnight that a round has gone on over: the run that was there then looks on
// until the next. Runs of earlier versions ended with such a round, and nobody looked for a day.
func isDayOver(ctx workflow.Context, began time.Time) bool {
	now := workflow.Now(ctx).UTC()
	soon, next := now.Add(time.Minute), now.Add(rehearseEvery) // a run may take a moment to end
	isOver := next.YearDay() != soon.YearDay()
	if isOver == (next.YearDay() != began.YearDay()) {
		return isOver
	}
	return workflow.GetVersion(ctx, "a round over midnight ends no run", workflow.DefaultVersion, 1) == workflow.DefaultVersion
}

// rehearsals is one run.
type rehearsals struct {
	*progress
	after string
	done  contract.RehearsedBackups
	tries map[string]int // that have failed, by backup
}

// round rehearses what is planned now.
func (r *rehearsals) round(ctx workflow.Context) error {
	r.setStep(ctx, "looking for new backups")
	plan, err := runActivity(withDurableOptions(ctx, "new backups"), contract.PlanRehearsals, contract.PlanRehearsalsInput{Now: workflow.Now(ctx), After: r.after})
	if err != nil {
		return err
	}
	for _, in := range plan.Backups {
		if r.tries[in.Backup] >= triesADay {
			continue
		}
		r.setStep(ctx, "rehearsing backup "+in.Backup)
		err := workflow.ExecuteChildWorkflow(rehearsalChild(ctx, in), contract.RehearseWorkflow, in).Get(ctx, nil)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			r.done.Rehearsed++
		case temporal.IsWorkflowExecutionAlreadyStartedError(err): // somebody rehearses it already
		default:
			r.tries[in.Backup]++
			r.done.Failed++
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
