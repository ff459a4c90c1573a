package schedule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Ensure puts the schedules of the configuration into the bucket, gives Temporal the schedules
// that the bucket has, and takes from it those that the bucket has not. It starts no run, and
// several workers may do it at once. A schedule that cannot be kept keeps no other.
func (s *Service) Ensure(ctx context.Context) error {
	st, err := s.definitions(ctx)
	if err != nil {
		return s.ignoreUnused(err)
	}
	defined, err := repository.ReadSchedules(ctx, st, s.place())
	if err != nil {
		return err
	}
	errs := []error{s.storeConfigured(ctx, st, defined)}
	for _, name := range slices.Sorted(maps.Keys(defined)) {
		errs = append(errs, s.ensureOne(ctx, st, defined[name]))
	}
	return errors.Join(append(errs, s.dropUndefined(ctx, st, defined))...)
}

// ignoreUnused is nothing where no schedule is asked for: a worker whose default location is
// ReadOnly is for restores.
func (s *Service) ignoreUnused(err error) error {
	if len(s.of().configured()) == 0 {
		return nil
	}
	return err
}

// storeConfigured stores the schedules of the configuration, and removes those that it no
// longer has.
func (s *Service) storeConfigured(ctx context.Context, st store.Store, defined map[string]*repository.ScheduleDefinition) error {
	var errs []error
	named := map[string]bool{}
	for _, in := range s.of().configured() {
		named[in.Name] = true
		stored := defined[in.Name]
		d, _, err := s.store(ctx, st, stored, in, repository.SourceConfig, "")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if d.Replaced != nil && stored.Source != repository.SourceConfig {
			s.warn("a schedule of the configuration takes the place of one of the name that was made by hand", in.Name,
				"delete it with the CLI before, or give that of the configuration another name: the one made by hand comes back, paused, when this one leaves the configuration")
		}
		defined[in.Name] = d
	}
	for name, d := range defined {
		if d.Source != repository.SourceConfig || named[name] {
			continue
		}
		if d.Replaced != nil {
			errs = append(errs, s.giveBack(ctx, st, d))
			continue
		}
		if err := repository.DeleteSchedule(ctx, st, s.place(), name); err != nil {
			errs = append(errs, err)
			continue
		}
		delete(defined, name)
	}
	return errors.Join(errs...)
}

// giveBack puts the schedule that was made by hand into its place again. It is paused: nobody has
// looked at it since, and the configuration wants no such runs any more.
func (s *Service) giveBack(ctx context.Context, st store.Store, d *repository.ScheduleDefinition) error {
	now := s.now()
	if err := s.accountUntil(ctx, st, d, now); err != nil {
		return err
	}
	d.Schedule, d.Source, d.Changed, d.Replaced, d.Returned = *d.Replaced, repository.SourceCLI, now, nil, true
	d.Spec.Paused = true
	notePause(d, now)
	s.warn("a schedule has left the configuration; the one of the name that was made by hand before is back, and paused", d.Name,
		"unpause it with 'lifeboat "+s.words().command+" unpause', or delete it")
	return d.Write(ctx, st)
}

// ensureOne gives Temporal the schedule of a definition. One that is not valid any more, since
// its location is gone for instance, stays as Temporal has it: its runs tell why they fail.
func (s *Service) ensureOne(ctx context.Context, st store.Store, d *repository.ScheduleDefinition) error {
	if d.Damaged {
		return nil // shown as invalid
	}
	r, err := s.check(&d.Schedule)
	if err != nil {
		return nil //nolint:nilerr // shown as invalid by each read
	}
	runs, err := repository.ReadScheduleRuns(ctx, st, d)
	if err != nil {
		return err
	}
	if err := s.Temporal.Ensure(ctx, r.desired(d, runs.Longest, s.now())); err != nil {
		return fmt.Errorf("schedule %s: %w", d.Name, err)
	}
	return nil
}

const (
	// horizon is for how many years calendars reach beyond the current one. They are written
	// anew at the turn of the year.
	horizon = 3
	// planner is raised when package timing makes other calendars of the same timing.
	planner = "1"
)

// desired is what Temporal should have of a definition. What decides the revision is cheap: the
// calendar is made only where it has to be written.
func (r *rules) desired(d *repository.ScheduleDefinition, longest time.Duration, now time.Time) Desired {
	year := now.UTC().Year()
	out := Desired{
		Name: d.Name, Drills: d.Drill != nil, Jitter: r.jitter, BufferOne: r.bufferOne, CatchUp: r.window(longest), Paused: d.Paused(), Timing: r.timing,
		From: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(year+horizon, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	out.Note = "kept by Lifeboat as the bucket defines it: change it with 'lifeboat " + (&Service{Drills: out.Drills}).words().command + "'"
	if out.Paused {
		out.Note += "; paused since " + d.PausedSince.UTC().Format(time.RFC3339)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %q %q %d %s %s %t %t %q", planner, r.timing.String(), r.timing.Zone(), year, out.Jitter, out.CatchUp, out.BufferOne, out.Paused, out.Note))
	out.Revision = hex.EncodeToString(sum[:8])
	return out
}

// window is how late a run may begin: with a buffer at least as late as the run before may make
// it, in steps of ten minutes, so that Temporal's schedule is not written with each run.
func (r *rules) window(longest time.Duration) time.Duration {
	const step = 10 * time.Minute
	if r.bufferOne && longest > r.catchUp {
		return (longest + step - 1) / step * step
	}
	return r.catchUp
}

// dropUndefined deletes Temporal's schedules without a definition. Each is looked up once more:
// it may have been made after the definitions were read.
func (s *Service) dropUndefined(ctx context.Context, st store.Store, defined map[string]*repository.ScheduleDefinition) error {
	names, err := s.Temporal.Names(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if defined[name] != nil {
			continue
		}
		_, err := repository.ReadSchedule(ctx, st, s.place(), name)
		if errors.Is(err, store.ErrNotFound) {
			err = s.Temporal.Delete(ctx, name)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
