package schedule_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// fakeTemporal has the schedules that it was given, and the runs that are said to go on.
type fakeTemporal struct {
	schedules map[string]schedule.Desired
	writes    int
	running   map[string]bool      // by run id
	ended     map[string]time.Time // of those that Temporal remembers
	down      error
}

func (f *fakeTemporal) Ensure(_ context.Context, d schedule.Desired) error {
	if f.down != nil {
		return f.down
	}
	if f.schedules[d.Name].Revision != d.Revision {
		f.writes++
	}
	f.schedules[d.Name] = d
	return nil
}

func (f *fakeTemporal) Names(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(f.schedules)), f.down
}

func (f *fakeTemporal) Delete(_ context.Context, name string) error {
	delete(f.schedules, name)
	return f.down
}

func (f *fakeTemporal) Running(_ context.Context, run contract.Run) (bool, error) {
	return f.running[run.RunID], f.down
}

func (f *fakeTemporal) Ended(_ context.Context, run contract.Run) (time.Time, error) {
	return f.ended[run.RunID], f.down
}

// world is a service over a bucket in memory, on a clock that stands still.
type world struct {
	*schedule.Service
	t        *testing.T
	st       *memstore.Store
	temporal *fakeTemporal
	clock    time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, st: memstore.New(), temporal: &fakeTemporal{schedules: map[string]schedule.Desired{}, running: map[string]bool{}}, clock: at("2026-03-01T12:00:00Z")}
	locations := repositorytest.Locations(repositorytest.Stores{"default": w.st})
	cfg := locations.Config()
	cfg.DefaultBackupTTL.Duration, cfg.Limits.ConcurrentBackups = 720*time.Hour, 2
	w.Service = &schedule.Service{Config: cfg, Locations: locations, Temporal: w.temporal, Now: func() time.Time { return w.clock }}
	return w
}

func at(text string) time.Time {
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return parsed
}

// daily is a valid schedule, with changes.
func daily(name string, changes ...func(*contract.Schedule)) contract.Schedule {
	s := contract.Schedule{Name: name, Spec: velerov1.ScheduleSpec{Schedule: "0 2 * * *", Template: velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}}}}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func annotated(key, value string) func(*contract.Schedule) {
	return func(s *contract.Schedule) {
		if s.Annotations == nil {
			s.Annotations = map[string]string{}
		}
		s.Annotations[key] = value
	}
}

func cron(text string) func(*contract.Schedule) {
	return func(s *contract.Schedule) { s.Spec.Schedule = text }
}

// change carries a change out and gives its outcomes as "name outcome".
func (w *world) change(in contract.ChangeSchedulesInput) []string {
	w.t.Helper()
	res, err := w.Change(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, c := range res.Changes {
		out = append(out, c.Name+" "+c.Outcome)
	}
	return out
}

func (w *world) apply(all ...contract.Schedule) { w.change(contract.ChangeSchedulesInput{Apply: all}) }

func (w *world) status(name string) contract.ScheduleStatus {
	w.t.Helper()
	all, err := w.Status(w.t.Context(), name)
	if err != nil || len(all) != 1 {
		w.t.Fatalf("%v %v", all, err)
	}
	return all[0]
}

func (w *world) ensure() {
	w.t.Helper()
	if err := w.Ensure(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func run(id string) contract.Run { return contract.Run{WorkflowID: "schedule:prod:" + id, RunID: id} }

// begin begins a run at a time, by Temporal's clock.
func (w *world) begin(name, due, now string) contract.BegunSlot {
	w.t.Helper()
	w.clock = at(now)
	begun, err := w.Begin(w.t.Context(), contract.BeginSlotInput{Schedule: name, Due: at(due), Now: at(now), Run: run(name + due)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.temporal.running[name+due] = begun.Backup != nil
	return begun
}

// end ends it with a phase.
func (w *world) end(name string, begun contract.BegunSlot, phase, now string) {
	w.t.Helper()
	w.clock = at(now)
	slot := begun.Slot
	slot.Outcome, slot.Phase, slot.Ended = contract.SlotRan, phase, at(now)
	switch {
	case phase == "Failed":
		slot.Outcome, slot.Reason = contract.SlotFailed, "the store was away"
	case begun.Backup != nil:
		w.st.Set(layout.Backup{Name: slot.Backup}.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":%q,"uid":"uid-%[1]s"},"status":{"phase":%[2]q,"startTimestamp":%[3]q}}`, slot.Backup, phase, slot.Started.Format(time.RFC3339)))
	}
	if err := w.End(w.t.Context(), contract.EndSlotInput{Schedule: name, Slot: slot}); err != nil {
		w.t.Fatal(err)
	}
	w.temporal.running[slot.Run.RunID] = false
}

// told are the due times that are accounted for, oldest first, as "02T02:00 ran".
func (w *world) told(name string) []string {
	w.t.Helper()
	var out []string
	for _, s := range slices.Backward(w.status(name).Slots) {
		out = append(out, s.Due.Format("02T15:04")+" "+s.Outcome)
	}
	return out
}

func (w *world) account(now string) {
	w.t.Helper()
	w.clock = at(now)
	if err := w.Account(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// all are the due times that are remembered, however many.
func (w *world) all() []contract.ScheduleSlot {
	w.t.Helper()
	defined, err := repository.ReadSchedules(w.t.Context(), w.st, layout.Schedules{Cluster: "prod"})
	if err != nil {
		w.t.Fatal(err)
	}
	runs, err := repository.ReadScheduleRuns(w.t.Context(), w.st, defined["a"])
	if err != nil {
		w.t.Fatal(err)
	}
	return runs.Slots
}
