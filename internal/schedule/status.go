package schedule

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// slotsShown bounds the due times that an answer has.
	slotsShown = 100
	// statusAtOnce bounds the schedules that are asked about at the same time: each takes some small
	// requests, of which the latency counts.
	statusAtOnce = 16
	// successesTried bounds the backups that are looked at for one that still counts.
	successesTried = 10
)

// Status tells of all schedules, or of the named one with its last due times. It changes
// nothing: due times of which nobody has told yet are accounted for in the answer only.
func (s *Service) Status(ctx context.Context, name string) ([]contract.ScheduleStatus, error) {
	_, st, err := s.Locations.Get(ctx, "")
	if err != nil {
		return nil, err
	}
	defined, err := repository.ReadSchedules(ctx, st, s.place())
	if err != nil {
		return nil, err
	}
	if name != "" && defined[name] == nil {
		return nil, s.unknown(name)
	}
	backups, err := s.backupSchedules(ctx, st)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(defined))
	if name != "" {
		names = []string{name}
	}
	all := make([]contract.ScheduleStatus, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(statusAtOnce)
	for i, key := range names {
		group.Go(func() (err error) {
			if all[i], err = s.statusOf(ctx, st, defined[key], backups, name != ""); err != nil {
				return err
			}
			return s.tellTurns(ctx, st, all[i].Slots)
		})
	}
	return all, group.Wait()
}

func (s *Service) statusOf(ctx context.Context, st store.Store, d *repository.ScheduleDefinition, backups map[string]*repository.ScheduleDefinition, whole bool) (contract.ScheduleStatus, error) {
	row := contract.ScheduleStatus{
		Schedule: d.Schedule, Source: d.Source, Phase: contract.ScheduleEnabled, Created: d.Created, Changed: d.Changed, Overlap: d.Overlap(), PausedByHand: d.PausedByHand,
	}
	row.Schedule.Spec.Paused = d.Paused()
	r, err := s.check(&d.Schedule)
	switch {
	case d.Damaged:
		row.Phase, row.Message = contract.ScheduleInvalid, "its definition in the bucket is damaged: apply it again, or delete it"
		return row, nil
	case err != nil:
		row.Phase, row.Message = contract.ScheduleInvalid, err.Error()
	case d.Paused():
		row.Phase = contract.ScheduleOff
	}
	if d.Paused() {
		row.PausedSince = &d.PausedSince
	}
	runs, readErr := repository.ReadScheduleRuns(ctx, st, d)
	if readErr != nil {
		return row, readErr
	}
	row.Warnings = slices.Concat(r.warnings, warnOfSource(&d.Schedule, backups), s.warnOfPause(d), s.warnOfOrigin(d))
	if err == nil {
		describeRules(&row, &r, runs, d, s.now())
	}
	last, warnings := s.lastGood(ctx, d, runs)
	row.Warnings = append(row.Warnings, warnings...)
	describeRuns(&row, runs, last, s.now(), whole)
	return row, nil
}

// lastGood is the last success that still counts, nil if there is none: a backup that was deleted, or that a
// verification has found corrupt since, is no answer to how old the last good one is.
func (s *Service) lastGood(ctx context.Context, d *repository.ScheduleDefinition, runs *repository.ScheduleRuns) (*contract.ScheduleSlot, []string) {
	var warnings []string
	for _, slot := range successes(runs) {
		flaw, err := s.of().flaw(ctx, d, slot)
		switch {
		case err != nil:
			return &slot, append(warnings, fmt.Sprintf("whether backup %s is still good is not known: %v", slot.Backup, err))
		case flaw == "":
			return &slot, warnings
		case len(warnings) == 0:
			warnings = append(warnings, fmt.Sprintf("backup %s does not count as the last success: %s", slot.Backup, flaw))
		}
	}
	return nil, warnings
}

// successes are the last runs that left a good backup, or a passed drill, the newest first.
func successes(runs *repository.ScheduleRuns) (found []contract.ScheduleSlot) {
	for _, s := range slices.Backward(runs.Slots) {
		if s.Succeeded() && len(found) < successesTried {
			found = append(found, s)
		}
	}
	if last := runs.LastSuccess; len(found) == 0 && last != nil {
		found = append(found, *last) // older than all that is remembered
	}
	slices.SortStableFunc(found, func(a, b contract.ScheduleSlot) int { return b.Started.Compare(a.Started) })
	return found
}

// warnOfPause tells of a pause that the configuration, which declares the schedule, says nothing of.
func (s *Service) warnOfPause(d *repository.ScheduleDefinition) []string {
	if d.Source != repository.SourceConfig || !d.PausedByHand {
		return nil
	}
	return []string{fmt.Sprintf("it is paused by hand, whatever the worker's configuration says; `lifeboat %s unpause %s` ends that", s.words().command, d.Name)}
}

// warnOfOrigin tells of two schedules of one name, by hand and in the configuration.
func (s *Service) warnOfOrigin(d *repository.ScheduleDefinition) []string {
	switch {
	case d.Replaced != nil:
		return []string{fmt.Sprintf("as the worker's configuration has it, it took the place of one that was %s; that one comes back, paused, when it leaves the configuration", originText(d.Replaced.From))}
	case d.Returned:
		return []string{fmt.Sprintf("one of its name left the worker's configuration, and it is as it was before, but paused; `lifeboat %[1]s unpause %[2]s` or `lifeboat %[1]s delete %[2]s`", s.words().command, d.Name)}
	}
	return nil
}

func originText(from string) string {
	if from == "" {
		return "made by hand"
	}
	return "applied from " + from
}

// describeRules tells what a valid definition means.
func describeRules(row *contract.ScheduleStatus, r *rules, runs *repository.ScheduleRuns, d *repository.ScheduleDefinition, now time.Time) {
	fillPassedSlots(runs, d, r, now)
	row.Zone, row.TTL, row.CatchUp, row.Rehearse = r.timing.Zone(), r.ttl.String(), r.window(runs.Longest).String(), r.rehearse
	if r.jitter > 0 {
		row.Jitter = r.jitter.String()
	}
	if next := r.timing.Next(now); !d.Paused() && !next.IsZero() {
		row.Next = &next
	}
	if period := r.timing.Period().Typical; period > 0 {
		if last := lastRun(runs); last != nil && last.Ended.Sub(last.Started) > period {
			row.Warnings = append(row.Warnings, fmt.Sprintf("the last run took %s, and runs are due every %s: those that fall into a run are %s", last.Ended.Sub(last.Started).Round(time.Second), period, outcomeOfOverlap(row.Overlap)))
		}
	}
}

func outcomeOfOverlap(overlap string) string {
	if overlap == contract.OverlapBufferOne {
		return "begun late, one at most, or skipped"
	}
	return "skipped"
}

// lastRun is the last run that has ended.
func lastRun(runs *repository.ScheduleRuns) *contract.ScheduleSlot {
	for _, s := range slices.Backward(runs.Slots) {
		if !s.Started.IsZero() && !s.Ended.IsZero() {
			return &s
		}
	}
	return nil
}

func describeRuns(row *contract.ScheduleStatus, runs *repository.ScheduleRuns, last *contract.ScheduleSlot, now time.Time, whole bool) {
	row.Counts, row.LastSuccess = runs.Counts, last
	for i := len(runs.Slots) - 1; i >= 0 && row.LastResult == nil; i-- {
		if runs.Slots[i].Outcome != contract.SlotRunning {
			row.LastResult = &runs.Slots[i]
		}
	}
	if row.LastSuccess != nil {
		age := int64(now.Sub(row.LastSuccess.Started).Seconds())
		row.RPOSeconds = &age
	}
	if whole {
		for _, s := range slices.Backward(runs.Slots) {
			if len(row.Slots) < slotsShown {
				row.Slots = append(row.Slots, s)
			}
		}
	}
}
