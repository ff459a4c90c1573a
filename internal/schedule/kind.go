package schedule

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// kind is what schedules of backups and schedules of drills do in different ways.
type kind interface {
	// configured are the definitions of the configuration.
	configured() []contract.Schedule
	// check reads a definition, and adds what is wrong with it.
	check(p *filter.Problems, d *contract.Schedule) rules
	// plan says what the run of a slot is to do.
	plan(ctx context.Context, out *contract.BegunSlot, d *repository.ScheduleDefinition, r *rules, runs *repository.ScheduleRuns) error
	// stored is a slot by what its run has left in the bucket, nil where there is nothing.
	stored(ctx context.Context, d *repository.ScheduleDefinition, slot contract.ScheduleSlot) (*contract.ScheduleSlot, error)
	// flaw is why what a run has left counts no more, "" while it does.
	flaw(ctx context.Context, d *repository.ScheduleDefinition, slot contract.ScheduleSlot) (string, error)
}

func (s *Service) of() kind {
	if s.Drills {
		return drillKind{s}
	}
	return backupKind{s}
}
