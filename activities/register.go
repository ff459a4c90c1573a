package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// Registry is the part of a worker that takes activities.
type Registry interface {
	RegisterActivityWithOptions(a any, o activity.RegisterOptions)
}

// Register registers every activity under its contract name.
func (b *Backup) Register(r Registry) {
	register(r, contract.PrepareBackup, b.PrepareBackup)
	register(r, contract.SnapshotVolumes, b.SnapshotVolumes)
	register(r, contract.ExportShard, b.ExportShard)
	register(r, contract.ExportRelated, b.ExportRelated)
	register(r, contract.CheckVolumes, b.CheckVolumes)
	register(r, contract.FinishVolumes, b.FinishVolumes)
	register(r, contract.SealBackup, b.SealBackup)
	register(r, contract.VerifyBackup, b.VerifyBackup)
	register(r, contract.CommitBackup, b.CommitBackup)
	register(r, contract.AbandonVolumes, b.AbandonVolumes)
	register(r, contract.AbandonBackup, b.AbandonBackup)
}

// Register registers every activity under its contract name.
func (d *Delete) Register(r Registry) {
	register(r, contract.PlanDelete, d.PlanDelete)
	register(r, contract.DeleteSnapshots, d.DeleteSnapshots)
	register(r, contract.DeleteFiles, d.DeleteFiles)
	register(r, contract.DeleteExpired, d.DeleteExpired)
}

// Register registers every activity under its contract name.
func (r *Restore) Register(reg Registry) {
	register(reg, contract.OpenArchive, r.OpenArchive)
	register(reg, contract.PlanRestore, r.PlanRestore)
	register(reg, contract.RestoreVolumes, r.RestoreVolumes)
	register(reg, contract.ApplyTask, r.ApplyTask)
	register(reg, contract.AwaitCRDs, r.AwaitCRDs)
	register(reg, contract.RelinkOwners, r.RelinkOwners)
	register(reg, contract.PatchVolumes, r.PatchVolumes)
	register(reg, contract.RunRestoreHooks, r.RunRestoreHooks)
	register(reg, contract.FinishRestore, r.FinishRestore)
	register(reg, contract.AbandonRestore, r.AbandonRestore)
}

// Register registers every activity under its contract name.
func (g *Garbage) Register(r Registry) {
	register(r, contract.PlanGarbage, g.PlanGarbage)
	register(r, contract.RecordGarbage, g.RecordGarbage)
	register(r, contract.PlanOrphans, g.PlanOrphans)
	register(r, contract.RemoveOrphans, g.RemoveOrphans)
	register(r, contract.SetRetention, g.SetRetention)
}

// Register registers every activity under its contract name.
func (s *Schedules) Register(r Registry) {
	register(r, contract.ChangeSchedules, s.ChangeSchedules)
	register(r, contract.BeginSlot, s.BeginSlot)
	register(r, contract.TakeTurn, s.TakeTurn)
	register(r, contract.EndSlot, s.EndSlot)
}

// Register registers every activity under its contract name.
func (r *Rehearsal) Register(reg Registry) {
	register(reg, contract.PlanRehearsals, r.PlanRehearsals)
	register(reg, contract.RehearseRestore, r.RehearseRestore)
}

// Register registers every activity under its contract name.
func (d *Drill) Register(r Registry) {
	register(r, contract.PrepareDrill, d.PrepareDrill)
	register(r, contract.RemoveLostDrills, d.RemoveLostDrills)
	register(r, contract.VerifyDrillBytes, d.VerifyDrillBytes)
	register(r, contract.IsolateDrill, d.IsolateDrill)
	register(r, contract.AccountDrill, d.AccountDrill)
	register(r, contract.CheckDrillReady, d.CheckDrillReady)
	register(r, contract.ReadDrillVolumes, d.ReadDrillVolumes)
	register(r, contract.RunDrillAssertions, d.RunDrillAssertions)
	register(r, contract.RunDrillControl, d.RunDrillControl)
	register(r, contract.TearDownDrill, d.TearDownDrill)
	register(r, contract.SignDrill, d.SignDrill)
	register(r, contract.NotifyDrill, d.NotifyDrill)
}

// Register registers every activity under its contract name.
func (v *Verification) Register(r Registry) {
	register(r, contract.PlanVerification, v.PlanVerification)
	register(r, contract.VerifyStoredBackup, v.VerifyStoredBackup)
}

// Register registers every activity under its contract name.
func (c *Catalog) Register(r Registry) {
	register(r, contract.ReadCatalog, c.ReadCatalog)
}

// register ties a method to its contract: types are checked by the compiler, it
// heartbeats while it runs, its error is typed on the way out.
func register[In, Out any](r Registry, a contract.Activity[In, Out], do func(context.Context, *heartbeat.Recorder, In) (Out, error)) {
	wrapped := func(ctx context.Context, in In) (Out, error) {
		if activity.IsActivity(ctx) {
			info := activity.GetInfo(ctx)
			ctx = repository.WithAttempt(ctx, info.StartedTime, info.Attempt)
		}
		recorder, stop := startHeartbeat(ctx)
		defer stop()
		out, err := do(ctx, recorder, in)
		return out, typed(ctx, err)
	}
	r.RegisterActivityWithOptions(wrapped, activity.RegisterOptions{Name: a.Name})
}

// startHeartbeat heartbeats until stop is called, from the watermark of the attempt
// before on. Details that do not decode are those of another version: it starts over.
func startHeartbeat(ctx context.Context) (recorder *heartbeat.Recorder, stop func()) {
	var last contract.Heartbeat
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &last); err != nil {
			last = contract.Heartbeat{}
		}
	}
	return heartbeat.Start(last, func(h contract.Heartbeat) { activity.RecordHeartbeat(ctx, h) })
}

// attemptOf is the number of the activity's attempt, from 1.
func attemptOf(ctx context.Context) int32 {
	if !activity.IsActivity(ctx) {
		return 1
	}
	return activity.GetInfo(ctx).Attempt
}

// typed turns a domain error into the ApplicationError that Temporal sees. It is
// the last thing before an activity returns, and its result is returned bare: a
// wrapped non-retryable error would be retried.
func typed(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if kind := failure.TypeOf(err); kind != "" {
		return temporal.NewNonRetryableApplicationError(err.Error(), kind, nil)
	}
	if failure.IsWrongWorker(err) {
		if activity.IsActivity(ctx) {
			activity.GetLogger(ctx).Warn("left to another worker", "reason", err.Error())
		}
		return leaveToOthers(attemptOf(ctx), err)
	}
	return temporal.NewApplicationError(err.Error(), "Transient")
}

// How often a run is offered to the workers of its queue that are not the right ones, and
// how long the pauses are. They grow: of two workers the right one mostly asks within a
// second, one that is being restarted within the 4 minutes that all attempts take.
const (
	offers       = 100
	shortestWait = 100 * time.Millisecond
	longestWait  = 3 * time.Second
)

// leaveToOthers is the error of a worker whose run it is not: another takes it. Where none
// does, the run ends.
func leaveToOthers(attempt int32, err error) error {
	if attempt >= offers {
		text := fmt.Sprintf("%s; no such worker took it in %d attempts", err, attempt)
		return temporal.NewNonRetryableApplicationError(text, contract.ErrTypeWrongWorker, nil)
	}
	return temporal.NewApplicationErrorWithOptions(err.Error(), contract.ErrTypeWrongWorker, temporal.ApplicationErrorOptions{
		NextRetryDelay: min(time.Duration(attempt)*shortestWait, longestWait),
	})
}
