package activities

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
)

// Schedules holds what the activities of ChangeSchedules, ScheduledBackup and ScheduledDrill depend
// on.
type Schedules struct {
	Backups *schedule.Service
	Drills  *schedule.Service
}

func (s *Schedules) of(drills bool) *schedule.Service {
	if drills {
		return s.Drills
	}
	return s.Backups
}

// ChangeSchedules applies, pauses and deletes schedules.
func (s *Schedules) ChangeSchedules(ctx context.Context, _ *heartbeat.Recorder, in contract.ChangeSchedulesInput) (contract.ChangeSchedulesResult, error) {
	return s.of(in.Drills).Change(ctx, in)
}

// BeginSlot decides for which due time a run is, and whether it takes a backup, or
// runs a drill.
func (s *Schedules) BeginSlot(ctx context.Context, _ *heartbeat.Recorder, in contract.BeginSlotInput) (contract.BegunSlot, error) {
	return s.of(in.Drills).Begin(ctx, in)
}

// TakeTurn tells whether a run may begin its backup now.
func (s *Schedules) TakeTurn(ctx context.Context, _ *heartbeat.Recorder, in contract.TakeTurnInput) (contract.Turn, error) {
	return s.Backups.TakeTurn(ctx, in)
}

// EndSlot records how the run of a due time has ended.
func (s *Schedules) EndSlot(ctx context.Context, _ *heartbeat.Recorder, in contract.EndSlotInput) (contract.Nothing, error) {
	return contract.Nothing{}, s.of(in.Drills).End(ctx, in)
}
