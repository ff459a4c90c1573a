package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// How often a worker looks whether Temporal has the schedules that the bucket has, and how many
// looks lie between two accounts of due times that nobody has told of.
const (
	schedulesPeriod  = 30 * time.Second
	schedulesTimeout = 25 * time.Second
	looksPerAccount  = 10
)

// keepSchedules keeps Temporal's schedules as the bucket has them, until the end of ctx. Every
// worker does. What stands in the way is told once, until it changes.
func keepSchedules(ctx context.Context, all keptSchedules, log *slog.Logger) {
	told := ""
	for look := 0; ; look++ {
		cause := failure.Text(all.keep(ctx, look%looksPerAccount == 0))
		if ctx.Err() == nil && cause != told {
			told = cause
			tellSchedules(log, cause)
		}
		if poll.Wait(ctx, schedulesPeriod) != nil {
			return
		}
	}
}

// keptSchedules are those of backups and those of drills.
type keptSchedules struct{ backups, drills *schedule.Service }

func newSchedules(cfg *config.Config, locations *repository.Locations, kc *kube.Client, tc *temporal.Client, log *slog.Logger) keptSchedules {
	return keptSchedules{
		backups: &schedule.Service{Config: cfg, Locations: locations, Temporal: scheduler{tc, false}, Log: log, Policies: (&backup.Service{Config: cfg, Kube: kc}).CheckPolicies},
		drills:  &schedule.Service{Drills: true, Config: cfg, Locations: locations, Temporal: scheduler{tc, true}, Log: log},
	}
}

func (k keptSchedules) keep(ctx context.Context, account bool) error {
	ctx, cancel := context.WithTimeout(ctx, schedulesTimeout)
	defer cancel()
	return errors.Join(keepOnce(ctx, k.backups, account), keepOnce(ctx, k.drills, account))
}

func keepOnce(ctx context.Context, s *schedule.Service, account bool) error {
	if err := s.Ensure(ctx); err != nil || !account {
		return err
	}
	return s.Account(ctx)
}

func tellSchedules(log *slog.Logger, cause string) {
	if cause == "" {
		log.Info("schedules are kept")
		return
	}
	log.Error("schedules cannot be kept", "cause", cause,
		"remedy", "backups are not taken, and drills not run, by themselves where Temporal lacks a schedule: let the worker's identity read and write schedules in this Temporal namespace, and the default storage location")
}

// scheduler is Temporal as package schedule needs it, for schedules of drills or of backups.
type scheduler struct {
	*temporal.Client
	drills bool
}

func (s scheduler) Ensure(ctx context.Context, d schedule.Desired) error {
	return s.EnsureSchedule(ctx, temporal.Schedule(d))
}

func (s scheduler) Names(ctx context.Context) ([]string, error) {
	return s.ScheduleNames(ctx, s.drills)
}

func (s scheduler) Delete(ctx context.Context, name string) error {
	return s.DeleteSchedule(ctx, s.drills, name)
}

func (s scheduler) Running(ctx context.Context, run contract.Run) (bool, error) {
	return s.IsRunning(ctx, run)
}

func (s scheduler) Ended(ctx context.Context, run contract.Run) (time.Time, error) {
	return s.EndOf(ctx, run)
}
