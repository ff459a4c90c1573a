package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// restoreVolumes makes the disks of native snapshots before any object is applied: a
// PersistentVolume is written with the id of its new disk. They are waited for by
// timers of the workflow. A run that was planned before there was such a phase has
// no disks in its plan.
func (r *restore) restoreVolumes(ctx workflow.Context) error {
	if r.plan.Disks == 0 || r.in.DryRun {
		return nil
	}
	r.step(ctx, fmt.Sprintf("making %d volumes of snapshots", r.plan.Disks))
	for wait := firstLook; ; wait = min(wait*3/2, lastLook) {
		st, err := run(durable(ctx, "make volumes"), contract.RestoreVolumes, contract.RestoreVolumesInput{Ref: r.plan.Ref})
		if err != nil {
			return err
		}
		r.disks = st.Ready
		r.Volumes = st.Ready
		r.show(ctx)
		if st.Pending == 0 {
			return nil
		}
		if err := workflow.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// awaitClaims waits for the volumes that storage classes provision for restored
// claims, so far as they can be expected to come, and gives them what the backup
// knows of them.
func (r *restore) awaitClaims(ctx workflow.Context) error {
	if r.plan.Claims == 0 || r.in.DryRun {
		return nil
	}
	r.step(ctx, fmt.Sprintf("waiting for the volumes of %d claims", r.plan.Claims))
	began := workflow.Now(ctx)
	for wait := firstLook; ; wait = min(wait*3/2, lastLook) {
		waited := int(workflow.Now(ctx).Sub(began) / time.Second)
		res, err := run(durable(ctx, "look at claims"), contract.PatchVolumes, contract.PatchVolumesInput{Ref: r.plan.Ref, Seconds: waited})
		if err != nil {
			return err
		}
		r.Volumes = r.disks + res.Bound
		if res.Pending == 0 {
			r.Warnings += res.Warnings
			r.Errors += res.Errors
			return nil
		}
		r.show(ctx)
		if err := workflow.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}
