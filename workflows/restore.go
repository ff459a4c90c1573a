package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// applyWindow is how many tasks of a level run at a time. How many objects are in
// flight is decided by the limiter that the tasks of a worker share.
const applyWindow = 4

// Restore brings objects of a backup back. It may be killed anywhere: each object
// is applied idempotently and every activity resumes at its watermark. A cancelled
// restore keeps the objects it made, as Velero does; disks that no object uses are
// deleted.
func Restore(ctx workflow.Context, in contract.RestoreInput) (contract.RestoreResult, error) {
	r, err := newRestore(ctx, in)
	if err != nil {
		return contract.RestoreResult{}, err
	}
	res, err := r.run(ctx)
	if err != nil {
		return res, r.abandon(ctx, err)
	}
	return res, r.phase(ctx, res.Phase)
}

// restore is one run; its methods are the phases.
type restore struct {
	*progress
	in      contract.RestoreInput
	by      contract.Run
	uid     string
	archive contract.OpenedArchive
	plan    contract.RestorePlan
	counts  contract.Counts
	owners  int64
	hooked  int // hooks to run in pods that were made
	disks   int // made of native snapshots
}

func newRestore(ctx workflow.Context, in contract.RestoreInput) (*restore, error) {
	info := workflow.GetInfo(ctx)
	if in.Name == "" {
		in.Name = nameOf(info, "restore")
	}
	p, err := newProgress(ctx, "Restore "+in.Name)
	if err != nil {
		return nil, err
	}
	r := &restore{progress: p, in: in, by: runOf(info), uid: info.OriginalRunID}
	return r, errors.Join(r.identify(ctx, in.Name), r.phase(ctx, phaseInProgress))
}

func (r *restore) run(ctx workflow.Context) (contract.RestoreResult, error) {
	for _, phase := range []func(workflow.Context) error{
		r.open, r.makePlan, r.restoreVolumes, r.applyLevels, r.relink, r.hooks, r.awaitClaims,
	} {
		if err := phase(ctx); err != nil {
			return contract.RestoreResult{}, cancelled(ctx, err)
		}
	}
	return r.finish(ctx)
}

func (r *restore) open(ctx workflow.Context) error {
	r.step(ctx, "opening the backup")
	var err error
	r.archive, err = run(durable(ctx, "open the backup"), contract.OpenArchive,
		contract.OpenArchiveInput{Restore: r.in, UID: r.uid, Run: r.by})
	return err
}

func (r *restore) makePlan(ctx workflow.Context) error {
	r.step(ctx, "selecting objects and ordering them into levels")
	var err error
	r.plan, err = run(durable(ctx, "select and order"), contract.PlanRestore,
		contract.PlanRestoreInput{Restore: r.in, Archive: r.archive})
	r.TotalVolumes = r.plan.Volumes
	r.TotalObjects, r.Warnings, r.Errors = r.plan.Objects, r.plan.Warnings, r.plan.Errors
	return err
}

func (r *restore) applyLevels(ctx workflow.Context) error {
	for i, level := range r.plan.Levels {
		if err := r.applyLevel(ctx, i, level); err != nil {
			return err // bare: Temporal tells a cancel from a failure by the outermost error
		}
	}
	return nil
}

func (r *restore) applyLevel(ctx workflow.Context, i int, level contract.LevelPlan) error {
	r.step(ctx, fmt.Sprintf("level %d of %d: %s, %d objects", i+1, len(r.plan.Levels), level.Name, level.Objects))
	err := fanOut(ctx, contract.ApplyTask, level.Tasks, applyWindow,
		func(t int) (contract.ApplyTaskInput, string) {
			return contract.ApplyTaskInput{Ref: r.plan.Ref, Level: i, Task: t},
				fmt.Sprintf("%s, task %d of %d", level.Name, t+1, level.Tasks)
		},
		func(_ int, res contract.ApplyResult) { r.add(ctx, res) })
	if err != nil || !level.CRDs || r.in.DryRun {
		return err
	}
	_, err = run(durable(ctx, "await CRDs"), contract.AwaitCRDs, contract.AwaitCRDsInput{Ref: r.plan.Ref})
	return err
}

func (r *restore) add(ctx workflow.Context, res contract.ApplyResult) {
	r.counts.Add(res.Counts)
	r.owners += res.Owners
	r.hooked += res.Hooks
	r.Objects = r.counts.Total()
	r.Warnings += res.Warnings
	r.Errors += res.Errors
	r.show(ctx)
}

// relink gives objects their owners back, now that every owner has its new uid.
func (r *restore) relink(ctx workflow.Context) error {
	if r.owners == 0 || r.in.DryRun {
		return nil
	}
	r.step(ctx, fmt.Sprintf("linking %d objects to their owners", r.owners))
	res, err := run(durable(ctx, "link owners"), contract.RelinkOwners, contract.RelinkOwnersInput{Ref: r.plan.Ref})
	r.Warnings += res.Warnings
	r.Errors += res.Errors
	return err
}

// finish writes the results, then clears staging: in two activities, so that the
// result is on record before what it was made of is gone. All objects are in the
// cluster by now: a cancel comes too late.
func (r *restore) finish(ctx workflow.Context) (contract.RestoreResult, error) {
	if err := ctx.Err(); err != nil {
		return contract.RestoreResult{}, err
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := r.phase(ctx, phaseFinalizing); err != nil {
		return contract.RestoreResult{}, err
	}
	r.step(ctx, "writing results")
	res, err := run(durable(ctx, "write results"), contract.FinishRestore, contract.FinishRestoreInput{
		Restore: r.in, Archive: r.archive, Run: r.by, Counts: r.counts, Volumes: r.Volumes, Completed: workflow.Now(ctx),
	})
	if err != nil {
		return res, err
	}
	_, err = run(durable(ctx, "clear working files"), contract.AbandonRestore, contract.AbandonRestoreInput{Ref: r.archive.Ref})
	r.step(ctx, "done: "+res.Phase)
	return res, err
}

// abandon deletes disks that nobody uses and clears staging, then returns the cause.
func (r *restore) abandon(ctx workflow.Context, cause error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	r.step(ctx, "cleaning up after: "+message(cause))
	ref := contract.RestoreRef{Name: r.in.Name, UID: r.uid, Location: r.in.Location}
	if r.archive.Ref.Name != "" {
		ref = r.archive.Ref // where the backup's location is ReadOnly, staging is elsewhere
	}
	_, err := run(durable(ctx, "clean up"), contract.AbandonRestore, contract.AbandonRestoreInput{Ref: ref})
	if err != nil {
		cause = temporal.NewApplicationErrorWithCause("clean up after: "+message(cause), "CleanupFailed", err)
	}
	return r.failed(ctx, cause)
}
