package activities

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/apply"
	"github.com/lifeboat-backup/lifeboat/internal/restore/hooks"
	"github.com/lifeboat-backup/lifeboat/internal/restore/selection"
	"github.com/lifeboat-backup/lifeboat/internal/restore/volumes"
)

// Restore has the activities of Restore.
type Restore struct{ *restore.Service }

func (r *Restore) OpenArchive(ctx context.Context, recorder *heartbeat.Recorder, in contract.OpenArchiveInput) (contract.OpenedArchive, error) {
	return r.Open(ctx, recorder, in)
}

func (r *Restore) PlanRestore(ctx context.Context, recorder *heartbeat.Recorder, in contract.PlanRestoreInput) (contract.RestorePlan, error) {
	return selection.Plan(ctx, r.Service, recorder, selection.Volumes{Plan: volumes.Plan, Probe: volumes.Probe}, in)
}

func (r *Restore) RestoreVolumes(ctx context.Context, recorder *heartbeat.Recorder, in contract.RestoreVolumesInput) (contract.DiskStatus, error) {
	return volumes.Make(ctx, r.Service, recorder, in)
}

func (r *Restore) ApplyTask(ctx context.Context, recorder *heartbeat.Recorder, in contract.ApplyTaskInput) (contract.ApplyResult, error) {
	return apply.Task(ctx, r.Service, recorder, in)
}

func (r *Restore) AwaitCRDs(ctx context.Context, _ *heartbeat.Recorder, in contract.AwaitCRDsInput) (contract.Nothing, error) {
	return apply.AwaitCRDs(ctx, r.Service, in)
}

func (r *Restore) RelinkOwners(ctx context.Context, recorder *heartbeat.Recorder, in contract.RelinkOwnersInput) (contract.ApplyResult, error) {
	return apply.RelinkOwners(ctx, r.Service, recorder, in)
}

func (r *Restore) PatchVolumes(ctx context.Context, _ *heartbeat.Recorder, in contract.PatchVolumesInput) (contract.PatchResult, error) {
	return volumes.Patch(ctx, r.Service, in)
}

func (r *Restore) RunRestoreHooks(ctx context.Context, _ *heartbeat.Recorder, in contract.RunRestoreHooksInput) (contract.HookResult, error) {
	return hooks.Run(ctx, r.Service, in)
}

func (r *Restore) FinishRestore(ctx context.Context, _ *heartbeat.Recorder, in contract.FinishRestoreInput) (contract.RestoreResult, error) {
	return r.Finish(ctx, in)
}

func (r *Restore) AbandonRestore(ctx context.Context, _ *heartbeat.Recorder, in contract.AbandonRestoreInput) (contract.Nothing, error) {
	return r.Abandon(ctx, in, func(ctx context.Context, stage repository.Staging, ref contract.RestoreRef) error {
		return volumes.Sweep(ctx, r.Service, stage, ref)
	})
}
