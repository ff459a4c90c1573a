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

// OpenArchive validates the input, finds the backup and opens it. It may repeat.
func (r *Restore) OpenArchive(ctx context.Context, recorder *heartbeat.Recorder, in contract.OpenArchiveInput) (contract.OpenedArchive, error) {
	return r.Open(ctx, recorder, in)
}

// PlanRestore selects objects, decides on volumes and orders the tasks. It may repeat.
func (r *Restore) PlanRestore(ctx context.Context, recorder *heartbeat.Recorder, in contract.PlanRestoreInput) (contract.RestorePlan, error) {
	return selection.Plan(ctx, r.Service, recorder, selection.Volumes{Plan: volumes.Plan, Probe: volumes.Probe}, in)
}

// RestoreVolumes makes EBS volumes, or looks how far they are. It may repeat.
func (r *Restore) RestoreVolumes(ctx context.Context, recorder *heartbeat.Recorder, in contract.RestoreVolumesInput) (contract.DiskStatus, error) {
	return volumes.Make(ctx, r.Service, recorder, in)
}

// ApplyTask brings the objects of one task into the cluster. It may repeat.
func (r *Restore) ApplyTask(ctx context.Context, recorder *heartbeat.Recorder, in contract.ApplyTaskInput) (contract.ApplyResult, error) {
	return apply.Task(ctx, r.Service, recorder, in)
}

// AwaitCRDs waits until restored definitions are served. It may repeat.
func (r *Restore) AwaitCRDs(ctx context.Context, recorder *heartbeat.Recorder, in contract.AwaitCRDsInput) (contract.Nothing, error) {
	return apply.AwaitCRDs(ctx, r.Service, recorder, in)
}

// RelinkOwners gives restored objects their owners back. It may repeat.
func (r *Restore) RelinkOwners(ctx context.Context, _ *heartbeat.Recorder, in contract.RelinkOwnersInput) (contract.ApplyResult, error) {
	return apply.RelinkOwners(ctx, r.Service, in)
}

// PatchVolumes looks at restored claims and their volumes. It may repeat.
func (r *Restore) PatchVolumes(ctx context.Context, _ *heartbeat.Recorder, in contract.PatchVolumesInput) (contract.PatchResult, error) {
	return volumes.Patch(ctx, r.Service, in)
}

// RunRestoreHooks runs the hooks of restored pods. It may repeat.
func (r *Restore) RunRestoreHooks(ctx context.Context, recorder *heartbeat.Recorder, in contract.RunRestoreHooksInput) (contract.HookResult, error) {
	return hooks.Run(ctx, r.Service, recorder, in)
}

// FinishRestore writes the results, or the plan of a dry run. It may repeat.
func (r *Restore) FinishRestore(ctx context.Context, _ *heartbeat.Recorder, in contract.FinishRestoreInput) (contract.RestoreResult, error) {
	return r.Finish(ctx, in)
}

// AbandonRestore clears what a restore that has ended has left. It may repeat.
func (r *Restore) AbandonRestore(ctx context.Context, _ *heartbeat.Recorder, in contract.AbandonRestoreInput) (contract.Nothing, error) {
	return r.Abandon(ctx, in, func(ctx context.Context, stage repository.Staging, ref contract.RestoreRef) error {
		return volumes.Sweep(ctx, r.Service, stage, ref)
	})
}
