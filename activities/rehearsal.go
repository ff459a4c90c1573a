package activities

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal"
)

// Rehearsal has the activities of RehearseRestore and RehearseBackups.
type Rehearsal struct{ *rehearsal.Service }

// PlanRehearsals finds the backups that are to be rehearsed. It may repeat.
func (r *Rehearsal) PlanRehearsals(ctx context.Context, _ *heartbeat.Recorder, in contract.PlanRehearsalsInput) (contract.RehearsalPlan, error) {
	return r.Plan(ctx, in)
}

// RehearseRestore restores a backup into a disposable control plane and compares. It may
// repeat, from scratch.
func (r *Rehearsal) RehearseRestore(ctx context.Context, recorder *heartbeat.Recorder, in contract.RehearseInput) (contract.RehearsalResult, error) {
	return r.Rehearse(ctx, recorder, in)
}
