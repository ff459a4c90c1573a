package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// deletionsAtOnce is how many expired backups one collection deletes at the same time. A deletion
// of one snapshot takes a second and a half, most of it for a look into the Recycle Bin, so that
// eight could use up EC2's rate of deletions, 5 a second; on two cores, where Temporal's own work
// holds them up, they were not measured to be faster than four. It leaves half of a worker's slots
// to others. Runs that were begun before have 4.
const (
	deletionsAtOnce    = 8
	deletionsAtOnceOld = 4
)

// How long the deletion of an expired backup may take, and what is asked of a place that may not
// answer: it is a try, and the next is that of a later round. Once one has failed in a way that time
// may mend, the others of the round get less: of a Region that does not answer all backups would
// otherwise be waited for in turn, and what can be deleted behind them. What takes longer goes on
// from where it was left.
const (
	deletionTime      = 15 * time.Minute
	hurryTime         = 2 * time.Minute
	garbageAttempts   = 3 // a lost worker and a reset connection are no reason to wait for an hour
	recordGarbageTime = hurryTime
)

// collectEvery is how long an expired backup may still be there.
const collectEvery = time.Hour

// errorsInResult bounds how many failures a result names; the bucket has them all.
const errorsInResult = 20

// goneInResult bounds how many removed orphans a result names; the worker's log has them all.
const goneInResult = 200

// CollectGarbage deletes the backups whose time is over, each by a DeleteBackup run of its
// own, which goes on if this one ends. A backup that cannot be deleted keeps no other; it
// is tried again after a pause that grows to a day.
func CollectGarbage(ctx workflow.Context, in contract.CollectGarbageInput) (contract.GarbageResult, error) {
	ctx = withPriority(ctx, quietPriority)
	p, err := newProgress(ctx, "Collect garbage", "garbage", phaseOfCollection(in))
	if err != nil {
		return contract.GarbageResult{}, err
	}
	c := &collection{progress: p, in: in, done: in.Done}
	for !c.ended {
		if err := c.collect(ctx); err != nil {
			return c.done, c.setFailure(ctx, stopError(ctx, err))
		}
		if !c.ended && workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			in.Done = c.done
			return c.done, workflow.NewContinueAsNewError(ctx, contract.GarbageWorkflow, in)
		}
	}
	c.setStep(ctx, "done")
	return c.done, c.setPhase(ctx, "Completed")
}

// phaseOfCollection is how a run is shown from its start: one that only plans deletes nothing.
func phaseOfCollection(in contract.CollectGarbageInput) string {
	if in.DryRun {
		return phaseInProgress
	}
	return phaseDeleting
}

// collection is one run.
type collection struct {
	*progress
	in    contract.CollectGarbageInput
	done  contract.GarbageResult
	now   time.Time // of the plan
	ended bool
	// hurry says that a deletion of this round has failed in a way that time may mend.
	hurry bool
	// unrecorded are the failures that could not be written down: the next plan has them again.
	unrecorded int
}

// collect carries out one plan. A round ends, with the wait for the next, when a plan has
// left nothing to delete or nothing of it could be done.
func (c *collection) collect(ctx workflow.Context) error {
	c.setStep(ctx, "looking for expired backups")
	c.now, c.hurry = workflow.Now(ctx), false
	plan, err := runActivity(withDurableOptions(ctx, "expired backups"), contract.PlanGarbage, contract.PlanGarbageInput{Now: c.now, Cluster: c.in.Cluster, DryRun: c.in.DryRun})
	if err != nil {
		return endUnplanned(ctx, c.in.Hourly, err, c.endRound, &c.ended)
	}
	c.done.Plan, c.done.Errors = plan, nil
	before := c.settled()
	if !c.in.DryRun && len(plan.Delete) > 0 {
		c.setStep(ctx, fmt.Sprintf("deleting expired backups: %d", len(plan.Delete)+plan.MoreDelete))
		if err := c.deleteAll(ctx, plan.Delete); err != nil {
			return err
		}
	}
	if plan.MoreDelete > 0 && c.settled() > before {
		return nil // the next plan has the rest
	}
	if err := c.collectOrphans(ctx); err != nil {
		return err
	}
	return c.endRound(ctx)
}

// settled counts the backups that the next plan of this round has no more.
func (c *collection) settled() int { return c.done.Deleted + c.done.Failed - c.unrecorded }

// orphansPerActivity bounds what one activity removes: some minutes of EC2's rate.
const orphansPerActivity = 50

// orphanSearchTime bounds a search for orphans, and a removal: expired backups do not wait for
// it, and the next round searches again.
const orphanSearchTime = 15 * time.Minute

// collectOrphans removes what no backup and no run names any more. What fails is told in the
// result and found again by the next round; only a cancel is an error.
func (c *collection) collectOrphans(ctx workflow.Context) error {
	if workflow.GetVersion(ctx, "orphans", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return nil
	}
	limited := workflow.WithScheduleToCloseTimeout(withDurableOptions(ctx, "what nothing names"), orphanSearchTime)
	in := contract.PlanOrphansInput{Now: c.now, Cluster: c.in.Cluster, DryRun: c.in.DryRun}
	for more := true; more && ctx.Err() == nil; {
		c.setStep(ctx, "looking for orphans")
		plan, err := runActivity(limited, contract.PlanOrphans, in)
		if err != nil {
			plan.Unread = []string{"the search for orphans failed: " + errorMessage(err)}
		}
		before := c.done.Removed
		if !c.in.DryRun {
			plan = c.removeOrphans(ctx, plan)
		}
		c.done.Orphans = plan
		more = plan.MoreRemove > 0 && c.done.Removed > before // the next plan has the rest
	}
	return ctx.Err()
}

// endUnplanned ends a round that has no plan. An hourly run goes on with its next round, since its
// schedule starts no other before midnight; one whose last round has no plan has failed.
func endUnplanned(ctx workflow.Context, hourly bool, cause error, endRound func(workflow.Context) error, ended *bool) error {
	if !hourly || ctx.Err() != nil || workflow.GetVersion(ctx, "a round without a plan", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return cause
	}
	workflow.GetLogger(ctx).Warn("There is no plan for this round; the next one tries again", "error", cause)
	if err := endRound(ctx); err != nil || !*ended {
		return err
	}
	return cause
}

// removeOrphans removes what a plan found; what could not be removed stays in the plan, with
// the reason.
func (c *collection) removeOrphans(ctx workflow.Context, plan contract.OrphanPlan) contract.OrphanPlan {
	all := plan.Remove
	plan.Remove = nil
	for len(all) > 0 && ctx.Err() == nil {
		some := all[:min(len(all), orphansPerActivity)]
		all = all[len(some):]
		c.setStep(ctx, fmt.Sprintf("removing %d orphans", len(some)+len(all)))
		in := contract.RemoveOrphansInput{Orphans: some, Cluster: c.in.Cluster, Run: thisRun(workflow.GetInfo(ctx))}
		res, err := runActivity(withOneTry(ctx, "orphans", orphanSearchTime), contract.RemoveOrphans, in)
		if err != nil {
			plan.Unread = append(plan.Unread, "orphans could not be removed: "+errorMessage(err))
			continue
		}
		c.done.Removed += res.Removed
		c.done.Gone = append(c.done.Gone, res.Gone...)
		c.done.Gone = c.done.Gone[max(0, len(c.done.Gone)-goneInResult):]
		plan.Keep = append(plan.Keep, res.Kept...)
	}
	return plan
}

// endRound waits for the next round, if there is one today. A round that midnight found at work
// goes on for the day that has begun: the schedule has left that day's run out, since this one went on.
func (c *collection) endRound(ctx workflow.Context) error {
	c.done.Rounds++
	today := workflow.Now(ctx)
	if workflow.GetVersion(ctx, "a collection outlasts midnight", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		today = c.now
	}
	next := workflow.Now(ctx).Add(collectEvery).UTC()
	if c.ended = !c.in.Hourly || next.YearDay() != today.UTC().YearDay(); c.ended {
		return nil
	}
	c.setStep(ctx, fmt.Sprintf("waiting; %d backups deleted, %d could not be", c.done.Deleted, c.done.Failed))
	return workflow.Sleep(ctx, collectEvery)
}

// deleteAll deletes backups, some at a time. Its error is a cancel.
func (c *collection) deleteAll(ctx workflow.Context, rows []contract.GarbageRow) error {
	var first error
	atOnce := int64(deletionsAtOnce)
	if workflow.GetVersion(ctx, "eight deletions at once", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		atOnce = deletionsAtOnceOld
	}
	slots := workflow.NewSemaphore(ctx, atOnce)
	all := workflow.NewWaitGroup(ctx)
	for _, row := range rows {
		if err := slots.Acquire(ctx, 1); err != nil || first != nil {
			break
		}
		all.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer all.Done()
			defer slots.Release(1)
			if err := c.deleteOne(ctx, row); err != nil && first == nil {
				first = err
			}
		})
	}
	all.Wait(ctx)
	if first == nil {
		first = ctx.Err()
	}
	return first
}

func (c *collection) deleteOne(ctx workflow.Context, row contract.GarbageRow) error {
	var res contract.DeleteResult
	in := contract.DeleteBackupInput{Name: row.Name, Location: row.Location, UID: row.UID, ExpiredAt: c.now, OneActivity: true, Place: row.Place, Within: deletionTime}
	if c.hurry {
		in.Within = hurryTime
	}
	err := workflow.ExecuteChildWorkflow(c.childOptions(ctx, row), contract.DeleteBackupWorkflow, in).Get(ctx, &res)
	switch {
	case err == nil:
		c.done.Deleted++
		c.done.Files += res.Files
		c.done.Snapshots += res.Snapshots
		return nil
	case temporal.IsWorkflowExecutionAlreadyStartedError(err): // somebody deletes it already
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	c.hurry = c.hurry || mayMend(err)
	return c.recordFailure(ctx, row, err)
}

// mayMend tells whether an error is one that time may mend: what is denied or locked is told at
// once, and keeps nobody waiting.
func mayMend(err error) bool {
	var app *temporal.ApplicationError
	return !errors.As(err, &app) || !app.NonRetryable()
}

// recordFailure writes down that a backup could not be deleted, for the pause before the next try.
// Where the location cannot even be written to, the next round tries without a pause, and nobody
// else waits for it.
func (c *collection) recordFailure(ctx workflow.Context, row contract.GarbageRow, cause error) error {
	try := contract.GarbageTry{Name: row.Name, Location: row.Location, UID: row.UID, At: c.now, Error: errorMessage(cause)}
	c.done.Failed++
	_, err := runActivity(withOneTry(ctx, row.Name, recordGarbageTime), contract.RecordGarbage, try)
	if err != nil {
		if ctx.Err() != nil || workflow.GetVersion(ctx, "failures that cannot be recorded", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
			return err
		}
		c.unrecorded++
		try.Error += "; this could not be recorded: " + errorMessage(err)
	}
	if len(c.done.Errors) < errorsInResult {
		c.done.Errors = append(c.done.Errors, try)
	}
	return nil
}

// childOptions are those of the deletion of a backup: the id is the one that a person's
// would have, so that there are never two.
func (c *collection) childOptions(ctx workflow.Context, row contract.GarbageRow) workflow.Context {
	cluster := contract.ClusterOf(workflow.GetInfo(ctx).TaskQueueName)
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:          contract.DeleteAtID(cluster, row.Name, row.Location),
		ParentClosePolicy:   enums.PARENT_CLOSE_POLICY_ABANDON,
		WaitForCancellation: true,
		Priority:            temporal.Priority{PriorityKey: quietPriority},
		StaticSummary:       "Delete expired backup " + row.Name + ", due since " + row.Expired.Format(time.RFC3339),
	})
}
