package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// hooks runs the hooks of restored pods, as soon as their containers are up. How many
// there are was counted while pods were made: a run from before there was such a
// phase counted none.
func (r *restore) hooks(ctx workflow.Context) error {
	if r.hooked == 0 || r.in.DryRun {
		return nil
	}
	wait := r.in.Spec.ItemOperationTimeout.Duration
	if wait <= 0 {
		wait = giveUpAfter
	}
	r.step(ctx, fmt.Sprintf("waiting for pods, to run %d hooks in them", r.hooked))
	res, err := run(outlasting(ctx, "run hooks", wait), contract.RunRestoreHooks,
		contract.RunRestoreHooksInput{Ref: r.plan.Ref, Began: workflow.Now(ctx), Wait: wait})
	r.Warnings += res.Warnings
	r.Errors += res.Errors
	return err
}

// outlasting are the options of an activity that may wait for others as long as it
// was told, and must not be given up on before it has.
func outlasting(ctx workflow.Context, summary string, wait time.Duration) workflow.Context {
	return workflow.WithScheduleToCloseTimeout(durable(ctx, summary), wait+giveUpAfter)
}
