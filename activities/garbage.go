package activities

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/garbage"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
)

// Garbage holds what the activities of CollectGarbage depend on.
type Garbage struct {
	Runner *garbage.Runner
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
