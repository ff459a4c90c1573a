package activities

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/garbage"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
)

// Garbage holds what the activities of CollectGarbage depend on.
type Garbage struct {
	Planner *garbage.Planner
}

// PlanGarbage finds the backups whose time is over.
func (g *Garbage) PlanGarbage(ctx context.Context, _ *heartbeat.Recorder, in contract.PlanGarbageInput) (contract.GarbagePlan, error) {
	return g.Planner.Plan(ctx, in)
}

// RecordGarbage remembers that one of them could not be deleted.
func (g *Garbage) RecordGarbage(ctx context.Context, _ *heartbeat.Recorder, in contract.GarbageTry) (contract.Nothing, error) {
	return contract.Nothing{}, g.Planner.Record(ctx, in)
}
