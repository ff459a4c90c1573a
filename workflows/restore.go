package workflows

import (
	"cmp"
	"fmt"
	"time"

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
	ctx = withPriority(ctx, restorePriority)
	r, err := newRestore(ctx, in)
	if err != nil {
		return contract.RestoreResult{}, err
	}
	res, err := r.runPhases(ctx)
	if err != nil {
		return res, r.abandonRestore(ctx, err)
	}
	return res, r.setPhase(ctx, res.Phase)
}

// restore is one run; its methods are the phases.
type restore struct {
	*progress
	in      contract.RestoreInput
	run     contract.Run
	archive contract.OpenedArchive
	plan    contract.RestorePlan
	counts  contract.Counts
	owned   int64 // objects that were found to have owners
	linked  int64 // of those: when their owners were last linked
	linking contract.ApplyResult
	hooks   int // to run in pods that were made
	disks   int // that were made of native snapshots
	// hookWait is how long hooks wait for their pods where that is not the restore's to say.
	hookWait time.Duration

	deferred []contract.ApplyTaskInput // see applyDeferred
}

func newRestore(ctx workflow.Context, in contract.RestoreInput) (*restore, error) {
	info := workflow.GetInfo(ctx)
	if in.Name == "" {
		in.Name = defaultName(ctx, "restore")
	}
	p, err := newProgress(ctx, "Restore "+in.Name, in.Name, phaseInProgress)
	return &restore{progress: p, in: in, run: thisRun(info)}, err
}

func (r *restore) runPhases(ctx workflow.Context) (contract.RestoreResult, error) {
	for _, phase := range []func(workflow.Context) error{
		r.openArchive, r.planRestore, r.restoreVolumes, r.applyLevels, r.relinkOwners, r.runRestoreHooks, r.patchVolumes,
	} {
		if err := phase(ctx); err != nil {
			return contract.RestoreResult{}, stopError(ctx, err)
		}
	}
	return r.finishRestore(ctx)
}

func (r *restore) openArchive(ctx workflow.Context) error {
	r.setStep(ctx, "opening the backup")
	var err error
	r.archive, err = runActivity(withDurableOptions(ctx, "open the backup"), contract.OpenArchive,
		contract.OpenArchiveInput{Restore: r.in, UID: r.run.RunID, Run: r.run})
	return err
}

func (r *restore) planRestore(ctx workflow.Context) error {
	r.setStep(ctx, "selecting objects and ordering them into levels")
	var err error
	r.plan, err = runActivity(withDurableOptions(ctx, "select and order"), contract.PlanRestore,
		contract.PlanRestoreInput{Restore: r.in, Archive: r.archive})
	r.TotalVolumes = r.plan.Volumes
	r.TotalObjects, r.Warnings, r.Errors = r.plan.Objects, r.plan.Warnings, r.plan.Errors
	return err
}

// restoreVolumes makes the disks of native snapshots before any object is applied: a
// PersistentVolume is written with the id of its new disk. The workflow's timers wait
// for them. A run that was planned before there was such a phase has no disks in its
// plan.
func (r *restore) restoreVolumes(ctx workflow.Context) error {
	if r.plan.Disks == 0 || r.in.DryRun {
		return nil
	}
	r.setStep(ctx, fmt.Sprintf("making %d volumes of snapshots", r.plan.Disks))
	for wait := firstPollWait; ; wait = growBriskWait(wait) {
		st, err := runActivity(withDurableOptions(ctx, "make volumes"), contract.RestoreVolumes,
			contract.RestoreVolumesInput{Ref: r.plan.Ref})
		if err != nil {
			return err
		}
		r.disks = st.Ready
		r.Volumes = st.Ready
		r.showDetails(ctx)
		if st.Pending == 0 {
			return nil
		}
		if err := workflow.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func (r *restore) applyLevels(ctx workflow.Context) error {
	for i, level := range r.plan.Levels {
		if level.LinkOwners {
			if err := r.applyDeferred(ctx); err != nil {
				return err
			}
			if err := r.relinkOwners(ctx); err != nil {
				return err
			}
		}
		if err := r.applyTasks(ctx, i, level); err != nil {
			return err // bare: Temporal tells a cancel from a failure by the outermost error
		}
		if err := r.awaitCRDs(ctx, level); err != nil {
			return err
		}
	}
	return r.applyDeferred(ctx)
}

// applyDeferred takes up what tasks have left since a webhook did not answer: once its pods may be there,
// and before a level that brings more webhooks.
func (r *restore) applyDeferred(ctx workflow.Context) error {
	tasks := r.deferred
	if r.deferred = nil; len(tasks) == 0 {
		return nil
	}
	r.setStep(ctx, fmt.Sprintf("trying %d tasks again whose objects a webhook has kept out", len(tasks)))
	return fanOut(ctx, contract.ApplyTask, len(tasks), applyWindow,
		func(t int) (contract.ApplyTaskInput, string) {
			return tasks[t], fmt.Sprintf("%s, task %d, what a webhook has kept out", r.plan.Levels[tasks[t].Level].Name, tasks[t].Task+1)
		},
		func(_ int, res contract.ApplyResult) { r.addTask(ctx, res) })
}

func (r *restore) applyTasks(ctx workflow.Context, i int, level contract.LevelPlan) error {
	r.setStep(ctx, fmt.Sprintf("level %d of %d: %s, %d objects", i+1, len(r.plan.Levels), level.Name, level.Objects))
	return fanOut(ctx, contract.ApplyTask, level.Tasks, applyWindow,
		func(t int) (contract.ApplyTaskInput, string) {
			return contract.ApplyTaskInput{Ref: r.plan.Ref, Level: i, Task: t, Defer: !r.in.DryRun},
				fmt.Sprintf("%s, task %d of %d", level.Name, t+1, level.Tasks)
		},
		func(t int, res contract.ApplyResult) {
			if res.Deferred > 0 {
				r.deferred = append(r.deferred, contract.ApplyTaskInput{Ref: r.plan.Ref, Level: i, Task: t, Deferred: true})
			}
			r.addTask(ctx, res)
		})
}

// awaitCRDs waits until the API server serves the kinds that a level has defined: the
// levels after it hold their objects.
func (r *restore) awaitCRDs(ctx workflow.Context, level contract.LevelPlan) error {
	if !level.CRDs || r.in.DryRun {
		return nil
	}
	_, err := runActivity(withDurableOptions(ctx, "await CRDs"), contract.AwaitCRDs, contract.AwaitCRDsInput{Ref: r.plan.Ref})
	return err
}

func (r *restore) addTask(ctx workflow.Context, res contract.ApplyResult) {
	r.counts.Add(res.Counts)
	r.owned += res.Owners
	r.hooks += res.Hooks
	r.Objects = r.counts.Total()
	r.Warnings += res.Warnings
	r.Errors += res.Errors
	r.showDetails(ctx)
}

// relinkOwners gives objects their owners back, now that every owner has its new uid: once
// before what would refuse the links, and once more if objects with owners came after
// that. It looks at all objects each time, so the later result replaces the earlier one.
func (r *restore) relinkOwners(ctx workflow.Context) error {
	if r.owned == r.linked || r.in.DryRun {
		return nil
	}
	r.setStep(ctx, fmt.Sprintf("linking %d objects to their owners", r.owned))
	res, err := runActivity(withDurableOptions(ctx, "link owners"), contract.RelinkOwners, contract.RelinkOwnersInput{Ref: r.plan.Ref})
	if err != nil {
		return err
	}
	r.Warnings += res.Warnings - r.linking.Warnings
	r.Errors += res.Errors - r.linking.Errors
	r.linked, r.linking = r.owned, res
	return nil
}

// runRestoreHooks runs the hooks of restored pods, as soon as their containers are up.
// How many there are was counted while pods were made: a run from before there was such
// a phase counted none.
func (r *restore) runRestoreHooks(ctx workflow.Context) error {
	if r.hooks == 0 || r.in.DryRun {
		return nil
	}
	wait := cmp.Or(r.hookWait, max(r.in.Spec.ItemOperationTimeout.Duration, 0), giveUpAfter)
	r.setStep(ctx, fmt.Sprintf("waiting for pods, to run %d hooks in them", r.hooks))
	res, err := runActivity(withDurableOptions(withWorkTime(ctx, wait), "run hooks"), contract.RunRestoreHooks,
		contract.RunRestoreHooksInput{Ref: r.plan.Ref, Began: workflow.Now(ctx), Wait: wait})
	r.Warnings += res.Warnings
	r.Errors += res.Errors
	return err
}

// patchVolumes waits for the volumes that storage classes provision for restored
// claims, so far as they can be expected to come, and gives them the labels and the
// reclaim policy that the backup has of them.
func (r *restore) patchVolumes(ctx workflow.Context) error {
	if r.plan.Claims == 0 || r.in.DryRun {
		return nil
	}
	r.setStep(ctx, fmt.Sprintf("waiting for the volumes of %d claims", r.plan.Claims))
	began := workflow.Now(ctx)
	for wait := firstPollWait; ; wait = growBriskWait(wait) {
		waited := int(workflow.Now(ctx).Sub(began) / time.Second)
		res, err := runActivity(withDurableOptions(ctx, "look at claims"), contract.PatchVolumes,
			contract.PatchVolumesInput{Ref: r.plan.Ref, Seconds: waited})
		if err != nil {
			return err
		}
		r.Volumes, r.Waits = r.disks+res.Bound, res.Waits
		if res.Pending == 0 {
			r.Warnings += res.Warnings
			r.Errors += res.Errors
			return nil
		}
		r.showDetails(ctx)
		if err := workflow.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// finishRestore writes the results, then clears staging: in two activities, so that the
// result is on record before what it was made of is gone. All objects are in the
// cluster by now: a cancel comes too late.
func (r *restore) finishRestore(ctx workflow.Context) (contract.RestoreResult, error) {
	if err := ctx.Err(); err != nil {
		return contract.RestoreResult{}, err
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := r.setPhase(ctx, phaseFinalizing); err != nil {
		return contract.RestoreResult{}, err
	}
	r.setStep(ctx, "writing results")
	res, err := runActivity(withDurableOptions(ctx, "write results"), contract.FinishRestore, contract.FinishRestoreInput{
		Restore: r.in, Archive: r.archive, Run: r.run, Counts: r.counts, Volumes: r.Volumes, Completed: workflow.Now(ctx),
	})
	if err != nil {
		return res, err
	}
	if res.NotStored {
		if err := workflow.UpsertMemo(ctx, map[string]any{contract.MemoResult: res}); err != nil {
			return res, err
		}
	}
	_, err = runActivity(withDurableOptions(ctx, "clear working files"), contract.AbandonRestore,
		contract.AbandonRestoreInput{Ref: r.archive.Ref})
	r.setStep(ctx, "done: "+res.Phase)
	return res, err
}

// abandonRestore deletes disks that nobody uses and clears staging, then returns the
// cause.
func (r *restore) abandonRestore(ctx workflow.Context, cause error) error {
	ctx, cancel := workflow.NewDisconnectedContext(withPromptQueue(ctx))
	defer cancel()
	r.setStep(ctx, "cleaning up after: "+errorMessage(cause))
	ref := contract.RestoreRef{Name: r.in.Name, UID: r.run.RunID, Location: r.in.Location}
	if r.archive.Ref.Name != "" {
		ref = r.archive.Ref // where the backup's location is ReadOnly, staging is elsewhere
	}
	_, err := runActivity(withDurableOptions(ctx, "clean up"), contract.AbandonRestore, contract.AbandonRestoreInput{Ref: ref})
	if err != nil {
		cause = cleanUpError(cause, err)
	}
	return r.setFailure(ctx, cause)
}
