package schedule_test

import (
	"crypto/ed25519"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
)

// newDrills is a world of schedules of drills.
func newDrills(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Drills = true
	w.Config.Drills.SigningKey = &config.SigningKey{File: "key"}
	return w
}

// monthly is a schedule of drills, at noon of each second day of a month.
func monthly(name string, changes ...func(*contract.Schedule)) contract.Schedule {
	s := contract.Schedule{Name: name, Spec: velerov1.ScheduleSpec{Schedule: "0 12 2 * *"}, Drill: &definition.Spec{Source: definition.Source{Pick: definition.PickLatest}}}
	for _, change := range changes {
		change(&s)
	}
	return s
}

// sign leaves the evidence of the drill of a slot in the bucket, or of one without a slot.
func (w *world) sign(asked string, slot *contract.DrillSlot, verdict evidence.Verdict) {
	w.t.Helper()
	name := "valid-full.json"
	if verdict == evidence.Failed {
		name = "valid-failed.json"
	}
	content, err := os.ReadFile("../drill/evidence/testdata/files/" + name)
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := evidence.Read(content)
	if err != nil {
		w.t.Fatal(err)
	}
	last, err := drills.Last(w.t.Context(), w.st, "prod")
	if err != nil {
		w.t.Fatal(err)
	}
	p := &e.Statement.Predicate
	moveTo(p, at(asked))
	p.Chain, p.Past = evidence.Chain{Name: "prod", Sequence: 1}, nil
	if last != nil {
		before := &last.Evidence.Statement.Predicate
		p.Chain.Sequence, p.Chain.Previous = before.Chain.Sequence+1, last.Evidence.Digest
		p.Past = append(slices.Clone(before.Past), evidence.Past{Sequence: before.Chain.Sequence, Evidence: last.Evidence.Digest, Asked: before.Drill.Asked, Verdict: before.Claim.Verdict, Level: before.Claim.Level})
	}
	if slot != nil {
		p.Chain.Schedule, p.Chain.Slot, p.Chain.NextSlot = slot.Schedule, evidence.MomentOf(slot.Due), evidence.MomentOf(slot.Next)
		for _, m := range slot.Missed {
			p.Chain.Missed = append(p.Chain.Missed, evidence.MissedSlot{Slot: evidence.MomentOf(m.Due), Reason: m.Reason})
		}
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	file, err := evidence.Sign(e.Statement, key)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := drills.Write(w.t.Context(), w.st, "prod", int64(p.Chain.Sequence), file); err != nil {
		w.t.Fatal(err)
	}
}

// moveTo has a drill asked for at a time, with all that follows from it.
func moveTo(p *evidence.Predicate, asked time.Time) {
	by := asked.Sub(p.Drill.Asked.Time())
	move := func(all ...*evidence.Moment) {
		for _, m := range all {
			if *m != "" {
				*m = evidence.MomentOf(m.Time().Add(by))
			}
		}
	}
	move(&p.Drill.Asked, &p.Drill.Finished, &p.Measured.RPO.Newest, &p.Source.Backup.Started, &p.Teardown.Started, &p.Teardown.Finished, &p.Teardown.KeptUntil)
	for i := range p.Measured.Phases {
		move(&p.Measured.Phases[i].Started, &p.Measured.Phases[i].Finished)
	}
	for i := range p.Source.Snapshots {
		move(&p.Source.Snapshots[i].Taken)
	}
}

func missedOf(slot *contract.DrillSlot) (all []string) {
	for _, m := range slot.Missed {
		reason, _, _ := strings.Cut(m.Reason, ":")
		all = append(all, m.Due.Format("01-02")+" "+reason)
	}
	return all
}

// TestDrillSlots: a drill knows its due time, the next one, and those since the last evidence of the
// schedule for which there was none, each with why.
func TestDrillSlots(t *testing.T) {
	w := newDrills(t)
	w.clock = at("2026-01-10T00:00:00Z")
	w.apply(monthly("a"))
	if !w.st.Has(layout.Schedules{Cluster: "prod", Drills: true}.Key("a")) || w.st.Has(layout.Schedules{Cluster: "prod"}.Key("a")) {
		t.Error("it lies where those of backups lie")
	}
	if got := w.temporal.schedules["a"]; !got.Drills || got.CatchUp != 12*time.Hour {
		t.Errorf("%+v", got)
	}
	first := w.begin("a", "2026-02-02T12:00:00Z", "2026-02-02T12:00:01Z")
	if first.Drill == nil || first.Backup != nil || first.Drill.Slot == nil || !first.Drill.Slot.Next.Equal(at("2026-03-02T12:00:00Z")) || !first.Until.Equal(at("2026-02-03T00:00:00Z")) {
		t.Fatalf("%+v", first)
	}
	equal(t, missedOf(first.Drill.Slot))
	w.temporal.running["a2026-02-02T12:00:00Z"] = true
	w.sign("2026-02-02T12:00:05Z", first.Drill.Slot, evidence.Passed)
	w.end("a", first, "Completed", "2026-02-02T12:30:00Z")

	failed := w.begin("a", "2026-03-02T12:00:00Z", "2026-03-02T12:00:01Z")
	w.end("a", failed, "Failed", "2026-03-02T12:10:00Z") // and leaves no evidence
	w.clock = at("2026-04-01T00:00:00Z")
	w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	w.clock = at("2026-04-15T00:00:00Z")
	w.change(contract.ChangeSchedulesInput{Unpause: []string{"a"}})
	w.sign("2026-04-20T00:00:00Z", nil, evidence.Passed) // by hand
	// In May nobody was there.
	last := w.begin("a", "2026-06-02T12:00:00Z", "2026-06-02T12:00:01Z")
	equal(t, missedOf(last.Drill.Slot), "03-02 failed", "04-02 paused", "05-02 missed")
	w.sign("2026-06-02T12:00:05Z", last.Drill.Slot, evidence.Passed)
	equal(t, w.told("a"), "02T12:00 ran", "02T12:00 failed", "02T12:00 paused", "02T12:00 missed", "02T12:00 running")
}

// TestDrillScheduleChanged: what evidence has announced as its next due time, and a change of the
// schedule has taken away, is told; one that was moved to an earlier time is no gap.
func TestDrillScheduleChanged(t *testing.T) {
	w := newDrills(t)
	w.clock = at("2026-01-10T00:00:00Z")
	w.apply(monthly("a"))
	first := w.begin("a", "2026-02-02T12:00:00Z", "2026-02-02T12:00:01Z")
	w.sign("2026-02-02T12:00:05Z", first.Drill.Slot, evidence.Passed)
	w.end("a", first, "Completed", "2026-02-02T12:30:00Z")
	w.clock = at("2026-02-20T00:00:00Z")
	w.apply(monthly("a", cron("0 12 5 * *")))
	later := w.begin("a", "2026-03-05T12:00:00Z", "2026-03-05T12:00:01Z")
	equal(t, missedOf(later.Drill.Slot), "03-02 the schedule was changed, or made anew, at 2026-02-20T00")
	w.sign("2026-03-05T12:00:05Z", later.Drill.Slot, evidence.Passed)
	w.end("a", later, "Completed", "2026-03-05T12:30:00Z")
	w.clock = at("2026-03-06T00:00:00Z")
	w.apply(monthly("a", cron("0 12 * * *")))
	earlier := w.begin("a", "2026-03-06T12:00:00Z", "2026-03-06T12:00:01Z")
	equal(t, missedOf(earlier.Drill.Slot))
	w.sign("2026-03-06T12:00:05Z", earlier.Drill.Slot, evidence.Passed)
	chain, err := drills.List(t.Context(), w.st, "prod", 9, func(f *drills.File) evidence.Evidence { return f.Evidence })
	if err != nil {
		t.Fatal(err)
	}
	var gaps []string
	for _, g := range evidence.CheckChain(chain, at("2026-03-07T00:00:00Z")) {
		gaps = append(gaps, string(g.Kind)+" "+string(g.Slot)[:10])
	}
	equal(t, gaps, "missed 2026-03-02")
}

// TestDrillNotTwice: of a due time whose record is lost the evidence tells, whether it has passed
// or not; a triggered run is no due time, and has no slot in the evidence.
func TestDrillNotTwice(t *testing.T) {
	for verdict, phase := range map[evidence.Verdict]string{evidence.Passed: "Completed", evidence.Failed: "Failed"} {
		w := newDrills(t)
		w.clock = at("2026-01-10T00:00:00Z")
		w.apply(monthly("a"))
		first := w.begin("a", "2026-02-02T12:00:00Z", "2026-02-02T12:00:01Z")
		w.sign("2026-02-02T12:00:05Z", first.Drill.Slot, verdict)
		if err := w.st.Delete(t.Context(), layout.Schedules{Cluster: "prod", Drills: true}.RunsKey("a")); err != nil {
			t.Fatal(err)
		}
		w.clock = at("2026-02-02T13:00:00Z")
		again, err := w.Begin(t.Context(), contract.BeginSlotInput{Schedule: "a", Due: at("2026-02-02T12:00:00Z"), Now: w.clock, Run: run("again")})
		if err != nil || again.Drill != nil || again.Slot.Outcome != contract.SlotRan || again.Slot.Phase != phase {
			t.Errorf("%+v, %v", again, err)
		}
		triggered := w.begin("a", "2026-02-05T08:00:00Z", "2026-02-05T08:00:00Z")
		if triggered.Drill == nil || triggered.Drill.Slot != nil || !triggered.Slot.Triggered || !triggered.Until.Equal(at("2026-02-05T20:00:00Z")) {
			t.Errorf("%+v", triggered)
		}
	}
}

// TestDrillScheduleLost: a run that is gone has the outcome of its evidence, or has failed.
func TestDrillScheduleLost(t *testing.T) {
	w := newDrills(t)
	w.clock = at("2026-01-10T00:00:00Z")
	w.apply(monthly("a"), monthly("b"))
	for _, name := range []string{"a", "b"} {
		begun := w.begin(name, "2026-02-02T12:00:00Z", "2026-02-02T12:00:01Z")
		w.temporal.running[name+"2026-02-02T12:00:00Z"] = false
		if name == "a" {
			w.sign("2026-02-02T12:00:05Z", begun.Drill.Slot, evidence.Passed)
		}
	}
	w.account("2026-02-02T14:00:00Z")
	equal(t, w.told("a"), "02T12:00 ran")
	equal(t, w.told("b"), "02T12:00 failed")
}

// TestDrillScheduleRefused: what is wrong is named by the document's own fields.
func TestDrillScheduleRefused(t *testing.T) {
	for want, s := range map[string]contract.Schedule{
		"spec.schedule.cron: ":                       monthly("a", cron("0 0 31 2 *")),
		"spec.schedule.timeZone: ":                   monthly("a", annotated(contract.AnnotationZone, "Mars/Phobos")),
		"spec.schedule.jitter: ":                     monthly("a", annotated(contract.AnnotationJitter, "9000h")),
		"spec.schedule.catchUpWindow: ":              monthly("a", annotated(contract.AnnotationCatchUp, "1s")),
		"lifeboat-backup.github.io/overlap]: is not": monthly("a", annotated(contract.AnnotationOverlap, "skip")),
		"metadata.name: ":                            monthly("a.b"),
		"spec.source: is empty":                      monthly("a", func(s *contract.Schedule) { s.Drill.Source = definition.Source{} }),
		"spec: is missing: say what is drilled":      monthly("a", func(s *contract.Schedule) { s.Drill = nil }),
	} {
		w := newDrills(t)
		if _, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Drills: true, Apply: []contract.Schedule{s}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	w := newDrills(t)
	w.Config.Drills.SigningKey = nil
	if _, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Apply: []contract.Schedule{monthly("a")}}); err == nil || !strings.Contains(err.Error(), "drills.signingKey") {
		t.Errorf("without a key: %v", err)
	}
	backups := newWorld(t)
	if _, err := backups.Change(t.Context(), contract.ChangeSchedulesInput{Apply: []contract.Schedule{monthly("a")}}); err == nil || !strings.Contains(err.Error(), "lifeboat drill schedule") {
		t.Errorf("as one of backups: %v", err)
	}
}

// TestDrillScheduleConfigured: schedules of the configuration are stored, kept and cannot be changed.
func TestDrillScheduleConfigured(t *testing.T) {
	w := newDrills(t)
	s := monthly("a")
	w.Config.Drills.Schedules = []definition.Drill{s.DrillDocument()}
	if err := w.CheckConfigured(); err != nil {
		t.Fatal(err)
	}
	w.ensure()
	if got := w.status("a"); got.Source != "config" || got.Schedule.Drill == nil || w.temporal.schedules["a"].Revision == "" {
		t.Errorf("%+v", got)
	}
	if _, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Delete: []string{"a"}}); err == nil || !strings.Contains(err.Error(), "drills.schedules") {
		t.Error(err)
	}
	equal(t, w.change(contract.ChangeSchedulesInput{Apply: []contract.Schedule{w.status("a").Schedule}}), "a unchanged")
	other := monthly("a")
	other.Spec.Schedule = "@hourly"
	if _, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Apply: []contract.Schedule{other}}); err == nil || !strings.Contains(err.Error(), "spec.schedule.cron is ") {
		t.Error(err)
	}
	delete(w.temporal.schedules, "a") // lost
	w.ensure()
	if len(w.temporal.schedules) != 1 {
		t.Error("it is not back")
	}
	w.Config.Drills.Schedules[0].Spec.Schedule.Cron = "never"
	if err := w.CheckConfigured(); err == nil || !strings.Contains(err.Error(), "drills.schedules[0] (a)") {
		t.Error(err)
	}
	w.Config.Drills.Schedules = nil
	w.ensure()
	if len(w.temporal.schedules) != 0 {
		t.Error("it stays")
	}
}

// TestDrillsOfAnUnknownSchedule: drills that would find nothing are told when they are scheduled, and
// each time they are looked at, until there is a schedule of backups of that name.
func TestDrillsOfAnUnknownSchedule(t *testing.T) {
	w := newDrills(t)
	w.clock = at("2026-01-10T00:00:00Z")
	w.apply(monthly("a", func(s *contract.Schedule) { s.Drill.Source.Schedule = "nightly" }))
	told := func() bool {
		return strings.Contains(strings.Join(w.status("a").Warnings, "\n"), `no schedule of backups "nightly"`)
	}
	if !told() {
		t.Errorf("%v", w.status("a").Warnings)
	}
	w.Drills = false
	w.apply(contract.Schedule{Name: "nightly", Spec: velerov1.ScheduleSpec{Schedule: "0 2 * * *"}})
	w.Drills = true
	if told() {
		t.Errorf("%v", w.status("a").Warnings)
	}
}

// TestWarningsOfSource: a schedule of drills that would prove the same backup again and again, or none, is
// taken with a warning that names it.
func TestWarningsOfSource(t *testing.T) {
	for name, tc := range map[string]struct {
		source definition.Source
		says   string
	}{
		"the newest":       {definition.Source{Pick: definition.PickLatest}, ""},
		"one and the same": {definition.Source{Backup: "before-upgrade"}, `the same backup "before-upgrade"`},
		"of no schedule":   {definition.Source{Schedule: "nightly"}, `no schedule of backups "nightly"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDrills(t)
			res, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Apply: []contract.Schedule{monthly("a", func(s *contract.Schedule) { s.Drill.Source = tc.source })}})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(res.Changes[0].Warnings, "; "); (got == "") != (tc.says == "") || !strings.Contains(got, tc.says) {
				t.Errorf("warns %q", got)
			}
		})
	}
}
