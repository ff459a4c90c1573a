package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/lifeboat-backup/lifeboat/internal/backup/snapshot"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/garbage"
	"github.com/lifeboat-backup/lifeboat/internal/garbage/orphan"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
)

// Garbage holds what the activities of CollectGarbage depend on.
type Garbage struct {
	Runner  *garbage.Runner
	Orphans *orphan.Collector
}

// PlanOrphans finds what no backup and no run names any more.
func (g *Garbage) PlanOrphans(ctx context.Context, _ *heartbeat.Recorder, in contract.PlanOrphansInput) (contract.OrphanPlan, error) {
	return g.Orphans.Plan(ctx, in)
}

// RemoveOrphans removes it, and tells in the worker's log what has gone. It may repeat.
func (g *Garbage) RemoveOrphans(ctx context.Context, p *heartbeat.Recorder, in contract.RemoveOrphansInput) (contract.OrphanResult, error) {
	res, err := g.Orphans.Remove(ctx, p, in)
	for _, o := range res.Gone {
		activity.GetLogger(ctx).Info("removed an orphan", "kind", o.Kind, "id", o.ID, "ofCluster", o.Cluster, "backup", o.Backup, "restore", o.Restore, "since", o.Since)
	}
	return res, err
}

// Abandoner does for a run that ended without cleaning up what it would have done; it
// implements orphan.Abandoner.
type Abandoner struct {
	Backup  *Backup
	Restore *Restore
}

// AbandonBackup cleans up after a backup. One that was committed stays.
func (a Abandoner) AbandonBackup(ctx context.Context, ref contract.BackupRef) error {
	committed, err := a.Backup.CleanUp(ctx, ref)
	if committed || err != nil {
		return err
	}
	if err := snapshot.Abandon(ctx, a.Backup.Service, ref); err != nil {
		return err
	}
	_, err = a.Backup.Abandon(ctx, contract.AbandonBackupInput{Ref: ref})
	return err
}

// AbandonRestore cleans up after a restore.
func (a Abandoner) AbandonRestore(ctx context.Context, ref contract.RestoreRef) error {
	_, err := a.Restore.AbandonRestore(ctx, nil, contract.AbandonRestoreInput{Ref: ref})
	return err
}

// PlanGarbage finds the backups whose time is over.
func (g *Garbage) PlanGarbage(ctx context.Context, _ *heartbeat.Recorder, in contract.PlanGarbageInput) (contract.GarbagePlan, error) {
	return g.Runner.Plan(ctx, in)
}

// RecordGarbage remembers that one of them could not be deleted.
func (g *Garbage) RecordGarbage(ctx context.Context, _ *heartbeat.Recorder, in contract.GarbageTry) (contract.Nothing, error) {
	return contract.Nothing{}, g.Runner.Record(ctx, in)
}

// SetRetention holds or releases a backup, or gives it another expiration.
func (g *Garbage) SetRetention(ctx context.Context, _ *heartbeat.Recorder, in contract.SetRetentionInput) (contract.RetentionResult, error) {
	return g.Runner.SetRetention(ctx, in)
}
