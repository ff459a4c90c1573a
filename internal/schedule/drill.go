package schedule

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition/validation"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// drillCatchUp is how late a drill may begin where nobody says: it may wait for another one.
	// With its own time it has to leave evidence within evidence.OverdueAfter.
	drillCatchUp = 12 * time.Hour
	// drillsSearched bounds how many drills of the past are looked through for one of a schedule.
	drillsSearched = 100
	// mostMissed bounds the due times without a drill that evidence names one by one.
	mostMissed = 100
)

// drillKind are schedules of drills. What has become of a due time says the chain of evidence.
type drillKind struct{ *Service }

func (s drillKind) configured() []contract.Schedule {
	all := make([]contract.Schedule, 0, len(s.Config.Drills.Schedules))
	for _, doc := range s.Config.Drills.Schedules {
		all = append(all, contract.DrillSchedule(doc))
	}
	return all
}

func drillFields() fields {
	return fields{cron: "spec.schedule.cron", annotations: map[string]string{
		contract.AnnotationZone: "spec.schedule.timeZone", contract.AnnotationJitter: "spec.schedule.jitter", contract.AnnotationCatchUp: "spec.schedule.catchUpWindow",
	}}
}

func (s drillKind) check(p *filter.Problems, d *contract.Schedule) rules {
	r := rules{catchUp: drillCatchUp}
	r.readTiming(p, d, drillFields())
	r.readAnnotations(p, d, drillFields())
	if d.Drill == nil {
		p.Add("spec", "is missing: say what is drilled")
		return r
	}
	doc := definition.Drill{APIVersion: definition.APIVersion, Kind: definition.Kind, Metadata: definition.Metadata{Name: d.Name}, Spec: *d.Drill}
	p.AddAll(validation.Drill(&doc))
	if s.Config.Drills.SigningKey == nil {
		p.Add("spec", "no drill runs, for the worker's configuration names no key to sign evidence with: make one with 'lifeboat drill keygen' and name it in drills.signingKey")
	}
	return r
}

// backupSchedules are the schedules of backups, by name, which schedules of drills name; nil where
// the schedules are those of backups.
func (s *Service) backupSchedules(ctx context.Context, st store.Store) (map[string]*repository.ScheduleDefinition, error) {
	if !s.Drills {
		return nil, nil
	}
	return repository.ReadSchedules(ctx, st, layout.Schedules{Cluster: s.Config.Cluster})
}

// warnOfSource tells that drills would find nothing new, or nothing at all, as far as is known now: backups
// of the schedule may be there without it, and it may be made later.
func warnOfSource(d *contract.Schedule, backups map[string]*repository.ScheduleDefinition) []string {
	if d.Drill != nil && d.Drill.Source.Backup != "" {
		return []string{fmt.Sprintf("each drill restores the same backup %q, and fails once that has expired; name a schedule of backups (spec.source.schedule, --from-schedule) to prove new ones", d.Drill.Source.Backup)}
	}
	if d.Drill == nil || d.Drill.Source.Schedule == "" || backups[d.Drill.Source.Schedule] != nil {
		return nil
	}
	name := d.Drill.Source.Schedule
	return []string{fmt.Sprintf("there is no schedule of backups %q: a drill fails while no backup has its label; `lifeboat schedule get` lists those that there are", name)}
}

// plan gives the drill its place in the schedule, and the due times for which there was none, so
// that its evidence tells of them.
func (s drillKind) plan(ctx context.Context, out *contract.BegunSlot, d *repository.ScheduleDefinition, r *rules, runs *repository.ScheduleRuns) error {
	out.Drill = &contract.DrillInput{Name: d.Name, Spec: *d.Drill}
	wait := r.window(runs.Longest) + r.jitter
	out.Until = out.Slot.Due.Add(wait)
	if out.Slot.Triggered { // its time is no due time
		out.Until = out.Slot.Started.Add(wait)
		return nil
	}
	last, err := s.lastOf(ctx, d.Name, time.Time{})
	if err != nil {
		return err
	}
	out.Drill.Slot = &contract.DrillSlot{Schedule: d.Name, Due: out.Slot.Due, Next: r.timing.Next(out.Slot.Due), Missed: missedSlots(last, out.Slot.Due, d, runs)}
	return nil
}

// missedSlots are the due times since the last drill of the schedule of which there is evidence.
// What that had announced as its next is told in any case.
func missedSlots(last *evidence.Chain, due time.Time, d *repository.ScheduleDefinition, runs *repository.ScheduleRuns) []contract.MissedSlot {
	missed := map[time.Time]string{}
	var since time.Time
	if last != nil {
		since = last.Slot.Time()
		if next := last.NextSlot; next != "" && next.Time().Before(due) && runs.Find(next.Time()) == nil {
			missed[next.Time().UTC()] = "the schedule was changed, or made anew, at " + d.Changed.UTC().Format(time.RFC3339)
		}
	}
	for _, slot := range runs.Slots {
		if slot.Due.After(since) && slot.Due.Before(due) && !slot.Triggered {
			missed[slot.Due.UTC()] = strings.TrimSuffix(slot.Outcome+": "+slot.Reason, ": ")
		}
	}
	var all []contract.MissedSlot
	for _, at := range slices.SortedFunc(maps.Keys(missed), time.Time.Compare) {
		if len(all) == mostMissed {
			all[mostMissed-1].Reason = fmt.Sprintf("%s; as %d more up to this drill", all[mostMissed-1].Reason, len(missed)-mostMissed)
			break
		}
		all = append(all, contract.MissedSlot{Due: at, Reason: missed[at]})
	}
	return all
}

// lastOf is what the newest evidence of a schedule's drills says of the chain, nil where there is
// none that was asked for since then.
func (s drillKind) lastOf(ctx context.Context, name string, since time.Time) (*evidence.Chain, error) {
	found, err := s.newest(ctx, name, since)
	if err != nil || found == nil {
		return nil, err
	}
	return &found.Evidence.Statement.Predicate.Chain, nil
}

func (s drillKind) newest(ctx context.Context, name string, since time.Time) (*drills.File, error) {
	_, st, err := drills.Location(ctx, s.Locations)
	if err != nil || st == nil {
		return nil, err
	}
	return drills.LastOfSchedule(ctx, st, s.Config.Cluster, name, since, drillsSearched)
}

// stored looks for evidence of a drill of that due time. Where a later one of the schedule has
// left some, what is earlier has its outcome in the record, or in what that drill tells of it.
func (s drillKind) stored(ctx context.Context, d *repository.ScheduleDefinition, slot contract.ScheduleSlot) (*contract.ScheduleSlot, error) {
	if slot.Triggered {
		return nil, nil
	}
	f, err := s.newest(ctx, d.Name, slot.Due)
	if err != nil || f == nil || !f.Evidence.Statement.Predicate.Chain.Slot.Time().Equal(slot.Due) {
		return nil, err
	}
	p := &f.Evidence.Statement.Predicate
	slot.Outcome, slot.Reason, slot.Backup, slot.Phase = contract.SlotRan, "", p.Source.Backup.Name, "Completed"
	if p.Claim.Verdict != evidence.Passed {
		slot.Phase = "Failed"
	}
	slot.Started, slot.Ended = p.Drill.Asked.Time(), p.Drill.Finished.Time()
	return &slot, nil
}

// flaw of a drill is none: that it has passed is signed.
func (drillKind) flaw(context.Context, *repository.ScheduleDefinition, contract.ScheduleSlot) (string, error) {
	return "", nil
}
