package schedule

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Change applies, pauses and deletes schedules. It starts no run and touches no backup. All of
// it is checked before anything is changed. It may repeat: what an attempt of the same run has
// done is reported as it was then.
func (s *Service) Change(ctx context.Context, in contract.ChangeSchedulesInput) (contract.ChangeSchedulesResult, error) {
	st, err := s.definitions(ctx)
	if err != nil {
		return contract.ChangeSchedulesResult{}, err
	}
	c := &change{Service: s, in: in, st: st}
	if c.defined, err = repository.ReadSchedules(ctx, st, s.place()); err != nil {
		return contract.ChangeSchedulesResult{}, err
	}
	if err := c.checkAll(); err != nil {
		return contract.ChangeSchedulesResult{}, err
	}
	for _, step := range []func(context.Context) error{c.apply, c.prune, c.pause, c.unpause, c.delete} {
		if err := step(ctx); err != nil {
			return contract.ChangeSchedulesResult{}, err
		}
	}
	return contract.ChangeSchedulesResult{Changes: c.changes}, nil
}

// change is one call of Change.
type change struct {
	*Service
	in      contract.ChangeSchedulesInput
	st      store.Store
	defined map[string]*repository.ScheduleDefinition
	rules   []rules // of in.Apply
	changes []contract.ScheduleChange
}

func (c *change) checkAll() error {
	var errs []error
	seen := map[string]bool{}
	c.rules = make([]rules, len(c.in.Apply))
	for i := range c.in.Apply {
		d := &c.in.Apply[i]
		var err error
		if c.rules[i], err = c.check(d); err != nil {
			errs = append(errs, fmt.Errorf("schedule %q: %w", d.Name, err))
		}
		if seen[d.Name] {
			errs = append(errs, fmt.Errorf("schedule %q is given twice: remove one", d.Name))
		}
		seen[d.Name] = true
		if stored := c.defined[d.Name]; stored != nil {
			may := c.mayApply
			if c.in.Create {
				may = func(stored *repository.ScheduleDefinition, _ *contract.Schedule) error { return c.mayChange(stored) }
			}
			errs = append(errs, may(stored, d))
			if c.in.Create && c.mayChange(stored) == nil && (stored.ChangedBy != c.in.Run || c.in.Run == "") {
				return failure.Exists("schedule %q already exists; change it with `lifeboat %s apply -f FILE`, or delete it first", d.Name, c.words().command)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return failure.Invalid("%w", err)
	}
	for _, name := range slices.Concat(c.in.Pause, c.in.Unpause) {
		if c.defined[name] == nil {
			return c.unknown(name)
		}
	}
	for _, name := range c.in.Delete {
		if err := c.mayChange(c.defined[name]); err != nil {
			return failure.Invalid("%w", err)
		}
	}
	for _, name := range c.in.Unpause {
		if d := c.defined[name]; c.pausedInConfiguration(d) && !d.PausedByHand {
			return failure.Invalid("schedule %q %s", name, c.pausedThere())
		}
	}
	return nil
}

// pausedInConfiguration tells that the configuration would set back the end of a pause.
func (c *change) pausedInConfiguration(d *repository.ScheduleDefinition) bool {
	return d.Source == repository.SourceConfig && d.Spec.Paused
}

func (c *change) pausedThere() string {
	return "has paused: true in the worker's configuration, in " + c.words().configured + ": change it there"
}

// mayChange refuses what the configuration would set back.
func (c *change) mayChange(d *repository.ScheduleDefinition) error {
	if d != nil && d.Source == repository.SourceConfig {
		return fmt.Errorf("schedule %q stands in the worker's configuration, in %s: change it there", d.Name, c.words().configured)
	}
	return nil
}

// mayApply refuses a document of a schedule that stands in the configuration, unless it says the same.
func (c *change) mayApply(stored *repository.ScheduleDefinition, d *contract.Schedule) error {
	err := c.mayChange(stored)
	if err == nil {
		return nil
	}
	if differs := differences(stored, d); len(differs) > 0 {
		return fmt.Errorf("%w; %s", err, strings.Join(differs, ", "))
	}
	return nil
}

// unchangedConfigured reports a schedule of the configuration whose document says the same.
func (c *change) unchangedConfigured(d *repository.ScheduleDefinition) {
	c.changes = append(c.changes, contract.ScheduleChange{Name: d.Name, Outcome: contract.ScheduleUnchanged, Warnings: c.warnOfPause(d)})
}

func (c *change) apply(ctx context.Context) error {
	backups, err := c.backupSchedules(ctx, c.st)
	if err != nil {
		return err
	}
	now := templates{c.Service, map[string]error{}}
	for i, in := range c.in.Apply {
		stored := c.defined[in.Name]
		if stored != nil && stored.Source == repository.SourceConfig {
			c.unchangedConfigured(stored)
			continue
		}
		d, outcome, err := c.store(ctx, c.st, stored, in, repository.SourceCLI, c.in.Run)
		if err != nil {
			return err
		}
		warnings := slices.Concat(c.rules[i].warnings, warnOfSource(&c.in.Apply[i], backups), warnOfMove(stored, d), now.warn(ctx, &d.Schedule))
		if d.PausedByHand {
			warnings = append(warnings, fmt.Sprintf("it stays paused, since %s; `lifeboat %s unpause %s` ends that", d.PausedSince.Format(time.RFC3339), c.words().command, d.Name))
		}
		if err := c.report(ctx, d, outcome, warnings); err != nil {
			return err
		}
	}
	return nil
}

// warnOfMove tells that a schedule belongs to another file from now on: whoever prunes by the old
// one would wait for it to go in vain, and who prunes by the new one may delete it.
func warnOfMove(stored, d *repository.ScheduleDefinition) []string {
	if stored == nil || stored.From == "" || stored.From == d.From {
		return nil
	}
	return []string{fmt.Sprintf("it was applied from %q before and belongs to %q from now on: an apply of %[2]q without it reports it, or deletes it with --prune, and one of %[1]q does not any more", stored.From, d.From)}
}

// report has Temporal follow, and notes the change.
func (c *change) report(ctx context.Context, d *repository.ScheduleDefinition, outcome string, warnings []string) error {
	if err := c.ensureOne(ctx, c.st, d); err != nil {
		return err
	}
	row := contract.ScheduleChange{Name: d.Name, Outcome: outcome, Warnings: warnings}
	if r, err := c.check(&d.Schedule); err == nil && !d.Paused() {
		if next := r.timing.Next(c.now()); !next.IsZero() {
			row.Next = &next
		}
	}
	c.changes = append(c.changes, row)
	return nil
}

// store writes a definition in place of the stored one, unless it says the same, and tells what
// that was.
func (s *Service) store(ctx context.Context, st store.Store, stored *repository.ScheduleDefinition, in contract.Schedule, source, run string) (*repository.ScheduleDefinition, string, error) {
	now := s.now()
	d := &repository.ScheduleDefinition{Schedule: in, Cluster: s.Config.Cluster, UID: string(uuid.NewUUID()), Source: source, Created: now}
	outcome := contract.ScheduleCreated
	if stored != nil && !stored.Damaged {
		if stored.PausedByHand && source == repository.SourceCLI {
			in.Spec.Paused = stored.Spec.Paused // a printed document tells the pause by hand as its own
		}
		copied := *stored
		d, outcome = &copied, contract.ScheduleConfigured
		in.From = cmp.Or(in.From, stored.From)
		d.From = in.From
		if stored.Source == source && equalSchedules(&d.Schedule, &in) {
			outcome = unchangedOutcome(stored, run)
			if d.From == stored.From {
				return stored, outcome, nil
			}
			return d, outcome, d.Write(ctx, st) // it has moved to another file
		}
		if err := s.accountUntil(ctx, st, stored, now); err != nil {
			return nil, "", err
		}
	}
	if d.Returned = false; d.Source != source {
		former := d.Schedule
		d.Replaced = &former
	}
	d.Schedule, d.Source, d.Changed, d.ChangedBy = in, source, now, run
	notePause(d, now)
	return d, outcome, d.Write(ctx, st)
}

// unchangedOutcome is what the first attempt of a run has reported.
func unchangedOutcome(d *repository.ScheduleDefinition, run string) string {
	switch {
	case run == "" || d.ChangedBy != run:
		return contract.ScheduleUnchanged
	case d.Created.Equal(d.Changed):
		return contract.ScheduleCreated
	default:
		return contract.ScheduleConfigured
	}
}

func equalSchedules(a, b *contract.Schedule) bool {
	left, err := json.Marshal(a)
	right, otherErr := json.Marshal(b)
	return err == nil && otherErr == nil && bytes.Equal(left, right)
}

// prune deletes what was applied from the same source before and is not there any more, or
// tells of it.
func (c *change) prune(ctx context.Context) error {
	applied := map[string]bool{}
	for _, d := range c.in.Apply {
		applied[d.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(c.defined)) {
		d := c.defined[name]
		if applied[name] || d.Source != repository.SourceCLI || d.From == "" || !slices.Contains(c.in.Sources, d.From) {
			continue
		}
		if !c.in.Prune {
			c.changes = append(c.changes, contract.ScheduleChange{Name: name, Outcome: contract.ScheduleNotApplied})
			continue
		}
		if err := c.deleteOne(ctx, name, contract.SchedulePruned); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) deleteOne(ctx context.Context, name, outcome string) error {
	if err := repository.DeleteSchedule(ctx, c.st, c.place(), name); err != nil {
		return err
	}
	if err := c.Temporal.Delete(ctx, name); err != nil {
		return err
	}
	c.changes = append(c.changes, contract.ScheduleChange{Name: name, Outcome: outcome})
	return nil
}

func (c *change) delete(ctx context.Context) error {
	for _, name := range c.in.Delete {
		if c.defined[name] == nil { // by an earlier attempt, or never there: `schedule delete` has looked
			c.changes = append(c.changes, contract.ScheduleChange{Name: name, Outcome: contract.ScheduleGone})
			continue
		}
		if err := c.deleteOne(ctx, name, contract.ScheduleDeleted); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) pause(ctx context.Context) error {
	return c.setPaused(ctx, c.in.Pause, contract.SchedulePaused, func(d *repository.ScheduleDefinition) { d.PausedByHand = true })
}

// unpause starts nothing: due times that have passed are accounted for as paused.
// What the configuration pauses stays so.
func (c *change) unpause(ctx context.Context) error {
	return c.setPaused(ctx, c.in.Unpause, contract.ScheduleUnpaused, func(d *repository.ScheduleDefinition) {
		d.PausedByHand, d.Spec.Paused, d.Returned = false, c.pausedInConfiguration(d), false
	})
}

func (c *change) setPaused(ctx context.Context, names []string, outcome string, set func(*repository.ScheduleDefinition)) error {
	now := c.now()
	for _, name := range names {
		d := c.defined[name]
		if d.Damaged {
			return failure.Invalid("schedule %q: its definition in the bucket is damaged: apply it again", name)
		}
		before := *d
		set(d)
		if before.PausedByHand != d.PausedByHand || before.Spec.Paused != d.Spec.Paused {
			if err := c.accountUntil(ctx, c.st, &before, now); err != nil {
				return err
			}
			notePause(d, now)
			if err := d.Write(ctx, c.st); err != nil {
				return err
			}
		}
		var warnings []string
		if outcome == contract.ScheduleUnpaused && d.Paused() {
			warnings = append(warnings, "the pause by hand has ended, and it stays paused: it "+c.pausedThere())
		}
		if err := c.report(ctx, d, outcome, warnings); err != nil {
			return err
		}
	}
	return nil
}

// notePause keeps PausedSince right.
func notePause(d *repository.ScheduleDefinition, now time.Time) {
	switch {
	case !d.Paused():
		d.PausedSince = time.Time{}
	case d.PausedSince.IsZero():
		d.PausedSince = now
	}
}
