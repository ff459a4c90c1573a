package schedule_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// TestApplyTwentyTimes changes nothing after the first.
func TestApplyTwentyTimes(t *testing.T) {
	w := newWorld(t)
	in := contract.ChangeSchedulesInput{Apply: []contract.Schedule{daily("a"), daily("b", cron("@hourly"))}}
	equal(t, w.change(in), "a created", "b created")
	writes := w.st.Stats().BytesWritten
	for range 20 {
		equal(t, w.change(in), "a unchanged", "b unchanged")
	}
	if w.temporal.writes != 2 || w.st.Stats().BytesWritten != writes {
		t.Errorf("%d writes to Temporal, %d bytes to the bucket", w.temporal.writes, w.st.Stats().BytesWritten-writes)
	}
	in.Apply[0].Spec.Schedule = "0 3 * * *"
	equal(t, w.change(in), "a configured", "b unchanged")
	if d := w.temporal.schedules["a"]; w.temporal.writes != 3 || d.Timing.String() != "0 3 * * *" {
		t.Errorf("%d %+v", w.temporal.writes, d)
	}
}

// TestRoundTrip: what a read gives, applied again, is no change, be it paused or not.
func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	no := false
	w.apply(daily("a", annotated(contract.AnnotationZone, "Europe/Berlin"), annotated(contract.AnnotationRehearse, "weekly"), func(s *contract.Schedule) {
		s.Labels, s.Spec.SkipImmediately = map[string]string{"team": "a"}, &no
		s.Spec.Template.Metadata.Labels = map[string]string{"x": "y"}
	}))
	w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	for range 2 {
		read := w.status("a").Schedule
		read.From = ""
		equal(t, w.change(contract.ChangeSchedulesInput{Apply: []contract.Schedule{read}}), "a unchanged")
		w.change(contract.ChangeSchedulesInput{Unpause: []string{"a"}})
	}
}

// TestRepeatedChange: a second attempt reports what the first one did.
func TestRepeatedChange(t *testing.T) {
	w := newWorld(t)
	in := contract.ChangeSchedulesInput{Apply: []contract.Schedule{daily("a")}, Create: true, Run: "run-1"}
	w.temporal.down = errors.New("away")
	if _, err := w.Change(t.Context(), in); err == nil || failure.TypeOf(err) != "" {
		t.Fatal(err)
	}
	w.temporal.down = nil
	equal(t, w.change(in), "a created")
	in.Run = "run-2"
	if _, err := w.Change(t.Context(), in); failure.TypeOf(err) != contract.ErrTypeExists {
		t.Error(err)
	}
}

// TestCreateOfConfigured: neither remedy for a name that is taken helps with a schedule of the configuration.
func TestCreateOfConfigured(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"))
	var d repository.ScheduleDefinition
	key := layout.Schedules{Cluster: "prod"}.Key("a")
	if err := repository.GetJSON(t.Context(), w.st, key, &d); err != nil {
		t.Fatal(err)
	}
	d.Source = repository.SourceConfig
	if err := repository.PutJSON(t.Context(), w.st, key, d, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Apply: []contract.Schedule{daily("a")}, Create: true, Run: "run-1"})
	if failure.TypeOf(err) != contract.ErrTypeInvalid || !strings.Contains(err.Error(), "stands in the worker's configuration") || strings.Contains(err.Error(), "delete it first") {
		t.Error(err)
	}
}

// TestPrune: only what was applied from the same source goes, and only if that is asked for.
func TestPrune(t *testing.T) {
	w := newWorld(t)
	from := func(source string, s contract.Schedule) contract.Schedule { s.From = source; return s }
	w.apply(from("shop.yaml", daily("a")), from("shop.yaml", daily("b")), from("other.yaml", daily("c")), daily("d"))
	in := contract.ChangeSchedulesInput{Apply: []contract.Schedule{from("shop.yaml", daily("a"))}, Sources: []string{"shop.yaml"}}
	equal(t, w.change(in), "a unchanged", "b not applied")
	in.Prune = true
	equal(t, w.change(in), "a unchanged", "b pruned")
	equal(t, slices.Sorted(maps.Keys(w.temporal.schedules)), "a", "c", "d")
	if w.st.Has(layout.Schedules{Cluster: "prod"}.Key("b")) || !w.st.Has(layout.Schedules{Cluster: "prod"}.Key("c")) {
		t.Error("the wrong definitions are there")
	}
	moved := contract.ChangeSchedulesInput{Apply: []contract.Schedule{from("moved.yaml", daily("a"))}, Sources: []string{"moved.yaml"}}
	warning := `it was applied from "shop.yaml" before and belongs to "moved.yaml" from now on`
	if res, err := w.Change(t.Context(), moved); err != nil || res.Changes[0].Outcome != contract.ScheduleUnchanged || len(res.Changes[0].Warnings) != 1 || !strings.HasPrefix(res.Changes[0].Warnings[0], warning) {
		t.Errorf("%+v %v", res, err)
	}
	if res, err := w.Change(t.Context(), moved); err != nil || len(res.Changes[0].Warnings) != 0 {
		t.Errorf("%+v %v", res, err)
	}
	equal(t, w.change(contract.ChangeSchedulesInput{Sources: []string{"shop.yaml"}, Prune: true}))
	equal(t, w.change(contract.ChangeSchedulesInput{Apply: []contract.Schedule{daily("c")}}), "c unchanged") // from standard input: it belongs to other.yaml still
	equal(t, w.change(contract.ChangeSchedulesInput{Sources: []string{"other.yaml"}, Prune: true}), "c pruned")
}

// TestDelete removes no backup.
func TestDelete(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"))
	w.st.Set(layout.Backup{Name: "a-20260301020000"}.Metadata(), []byte("{}"))
	equal(t, w.change(contract.ChangeSchedulesInput{Delete: []string{"a", "b"}}), "a deleted", "b not there")
	if len(w.temporal.schedules) != 0 || !w.st.Has(layout.Backup{Name: "a-20260301020000"}.Metadata()) {
		t.Error("too much or too little is gone")
	}
	if begun := w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T02:00:00Z"); begun.Backup != nil {
		t.Error("a deleted schedule takes a backup")
	}
}

// TestPause: a pause holds whatever is applied, and its end starts nothing.
func TestPause(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"))
	w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	if !w.temporal.schedules["a"].Paused || w.status("a").Phase != contract.ScheduleOff || w.status("a").Next != nil {
		t.Errorf("%+v", w.status("a"))
	}
	res, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Apply: []contract.Schedule{daily("a")}})
	if err != nil || res.Changes[0].Outcome != contract.ScheduleUnchanged || !strings.Contains(strings.Join(res.Changes[0].Warnings, ""), "stays paused") {
		t.Errorf("%+v %v", res, err)
	}
	w.clock = at("2026-03-04T12:00:00Z")
	res, err = w.Change(t.Context(), contract.ChangeSchedulesInput{Unpause: []string{"a"}})
	if err != nil || !res.Changes[0].Next.Equal(at("2026-03-05T02:00:00Z")) || w.temporal.schedules["a"].Paused {
		t.Errorf("%+v %v", res, err)
	}
	equal(t, w.told("a"), "02T02:00 paused", "03T02:00 paused", "04T02:00 paused")
	w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	w.clock = at("2026-03-05T02:00:00Z").Add(time.Millisecond) // the second in which it is due
	w.change(contract.ChangeSchedulesInput{Unpause: []string{"a"}})
	w.end("a", w.begin("a", "2026-03-06T02:00:00Z", "2026-03-06T02:00:00Z"), "Completed", "2026-03-06T02:01:00Z")
	equal(t, w.told("a"), "02T02:00 paused", "03T02:00 paused", "04T02:00 paused", "05T02:00 paused", "06T02:00 ran")
	_, err = w.Change(t.Context(), contract.ChangeSchedulesInput{Pause: []string{"x"}})
	if failure.TypeOf(err) != contract.ErrTypeNotFound {
		t.Error(err)
	}
}

// TestConfigured: schedules of the configuration come and go with it, and nobody else changes
// them.
func TestConfigured(t *testing.T) {
	w := newWorld(t)
	doc := velerov1.Schedule{Spec: daily("a").Spec}
	doc.Name = "a"
	w.Config.Schedules = []velerov1.Schedule{doc}
	w.apply(daily("b"))
	w.ensure()
	if got := w.status("a"); got.Source != "config" || w.temporal.schedules["a"].Name != "a" {
		t.Errorf("%+v", got)
	}
	for _, in := range []contract.ChangeSchedulesInput{
		{Apply: []contract.Schedule{daily("a", cron("@hourly"))}}, {Delete: []string{"a"}},
	} {
		if _, err := w.Change(t.Context(), in); failure.TypeOf(err) != contract.ErrTypeInvalid || !strings.Contains(err.Error(), "stands in the worker's configuration") {
			t.Errorf("%+v: %v", in, err)
		}
	}
	w.Config.Schedules[0].Spec.Schedule = "bad"
	if err := w.CheckConfigured(); err == nil || !strings.Contains(err.Error(), "schedules[0] (a): invalid spec: spec.schedule: ") {
		t.Error(err)
	}
	w.Config.Schedules = nil
	w.ensure()
	equal(t, slices.Sorted(maps.Keys(w.temporal.schedules)), "b")
}

// TestEmptyTemporal: one that has lost all gets its schedules again, and loses those that
// nobody has defined.
func TestEmptyTemporal(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"), daily("b", annotated(contract.AnnotationOverlap, "bufferOne"), annotated(contract.AnnotationJitter, "5m")))
	before := maps.Clone(w.temporal.schedules)
	clear(w.temporal.schedules)
	w.temporal.schedules["stranger"] = before["a"]
	for range 3 { // workers
		w.ensure()
	}
	if len(w.temporal.schedules) != 2 || w.temporal.schedules["a"].Revision != before["a"].Revision || w.temporal.schedules["b"].Revision != before["b"].Revision {
		t.Errorf("%+v", w.temporal.schedules)
	}
	if b := before["b"]; !b.BufferOne || b.Jitter != 5*time.Minute || b.CatchUp != time.Hour {
		t.Errorf("%+v", b)
	}
	w.clock = at("2027-01-01T00:00:00Z")
	w.ensure()
	if d := w.temporal.schedules["a"]; d.Until.Year() != 2030 || d.Revision == before["a"].Revision {
		t.Errorf("%+v", d)
	}
}

// TestDamaged: a damaged definition is told, keeps no other, and can be replaced.
func TestDamaged(t *testing.T) {
	for name, text := range map[string]string{"no JSON": "{", "another's": `{"name":"b","cluster":"prod"}`, "another cluster's": `{"name":"a","cluster":"test"}`} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(daily("good"))
			w.st.Set(layout.Schedules{Cluster: "prod"}.Key("a"), []byte(text))
			w.ensure()
			if got := w.status("a"); got.Phase != contract.ScheduleInvalid || !strings.Contains(got.Message, "damaged") || w.status("good").Phase != contract.ScheduleEnabled {
				t.Errorf("%+v", got)
			}
			equal(t, w.change(contract.ChangeSchedulesInput{Apply: []contract.Schedule{daily("a")}}), "a created")
		})
	}
}

// TestTwoClusters: clusters that share a location know nothing of each other's schedules.
func TestTwoClusters(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"))
	config, temporal := *w.Config, &fakeTemporal{schedules: map[string]schedule.Desired{}}
	config.Cluster = "test"
	other := &schedule.Service{Config: &config, Locations: w.Locations, Temporal: temporal, Now: w.Now}
	if all, err := other.Status(t.Context(), ""); len(all) > 0 || err != nil {
		t.Error(all, err)
	}
	if err := other.Ensure(t.Context()); err != nil || len(temporal.schedules) > 0 {
		t.Error(temporal.schedules, err)
	}
	if _, err := other.Change(t.Context(), contract.ChangeSchedulesInput{Delete: []string{"a"}}); err != nil || w.status("a").Phase != contract.ScheduleEnabled {
		t.Error(err)
	}
}

// configure has the worker's configuration hold the named daily schedules.
func (w *world) configure(all ...contract.Schedule) {
	w.Config.Schedules = nil
	for _, s := range all {
		doc := velerov1.Schedule{Spec: s.Spec}
		doc.Name, doc.Labels, doc.Annotations = s.Name, s.Labels, s.Annotations
		w.Config.Schedules = append(w.Config.Schedules, doc)
	}
	w.ensure()
}

// TestPauseOfConfigured: a schedule of the configuration is paused and unpaused by hand as any
// other, and a pause by hand goes with it into the configuration.
func TestPauseOfConfigured(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"))
	w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	w.configure(daily("a"), daily("b"))
	if got := w.status("a"); got.Phase != contract.ScheduleOff || got.Source != "config" || !strings.Contains(strings.Join(got.Warnings, ""), "paused by hand") {
		t.Errorf("%+v", got)
	}
	equal(t, w.change(contract.ChangeSchedulesInput{Unpause: []string{"a"}}), "a unpaused")
	equal(t, w.change(contract.ChangeSchedulesInput{Pause: []string{"b"}}), "b paused")
	w.ensure()
	if a, b := w.temporal.schedules["a"], w.temporal.schedules["b"]; a.Paused || !b.Paused {
		t.Errorf("a paused: %t, b paused: %t", a.Paused, b.Paused)
	}
	equal(t, w.change(contract.ChangeSchedulesInput{Unpause: []string{"b"}}), "b unpaused")
	w.ensure()
	if w.temporal.schedules["b"].Paused || w.status("b").Phase != contract.ScheduleEnabled {
		t.Errorf("%+v", w.status("b"))
	}
}

// TestPausedInConfiguration: what the configuration pauses, only it unpauses.
func TestPausedInConfiguration(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"))
	w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	w.configure(daily("a", func(s *contract.Schedule) { s.Spec.Paused = true }))
	res, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Unpause: []string{"a"}})
	if err != nil || !strings.Contains(strings.Join(res.Changes[0].Warnings, ""), "paused: true") || !w.temporal.schedules["a"].Paused {
		t.Errorf("%+v %v", res, err)
	}
	_, err = w.Change(t.Context(), contract.ChangeSchedulesInput{Unpause: []string{"a"}})
	if failure.TypeOf(err) != contract.ErrTypeInvalid || !strings.Contains(err.Error(), "paused: true") {
		t.Error(err)
	}
	w.configure(daily("a"))
	if w.temporal.schedules["a"].Paused || w.status("a").Phase != contract.ScheduleEnabled {
		t.Errorf("%+v", w.status("a"))
	}
}

// TestApplyOfConfigured: what `get` prints of a schedule of the configuration is no change when it is
// applied, be it paused by hand; what differs is named, and nothing is changed.
func TestApplyOfConfigured(t *testing.T) {
	w := newWorld(t)
	w.configure(daily("a", annotated(contract.AnnotationZone, "Europe/Berlin")))
	w.apply(daily("b"))
	for range 2 {
		a, b := w.status("a").Schedule, w.status("b").Schedule
		a.From, b.From = "all.yaml", "all.yaml"
		equal(t, w.change(contract.ChangeSchedulesInput{Apply: []contract.Schedule{a, b}, Sources: []string{"all.yaml"}, Prune: true}), "a unchanged", "b unchanged")
		w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	}
	w.configure(daily("a", annotated(contract.AnnotationZone, "Europe/Berlin"))) // it is still the configuration's
	if w.status("a").Source != "config" {
		t.Errorf("%+v", w.status("a"))
	}
	other := daily("a", cron("@hourly"))
	_, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Apply: []contract.Schedule{other, daily("b", cron("@hourly"))}})
	if failure.TypeOf(err) != contract.ErrTypeInvalid || !strings.Contains(err.Error(), `spec.schedule is "0 2 * * *" there and "@hourly" here`) ||
		!strings.Contains(err.Error(), `metadata.annotations["lifeboat-backup.github.io/time-zone"] is "Europe/Berlin" there and not given here`) {
		t.Error(err)
	}
	if w.status("b").Schedule.Spec.Schedule != "0 2 * * *" {
		t.Error("b was changed")
	}
}

// TestTakenOver: a schedule of the configuration takes the place of one that was made by hand, tells
// so, and gives it back, paused, when it leaves the configuration. Nothing starts by itself then.
func TestTakenOver(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&log, nil))
	own := daily("a", cron("@hourly"), func(s *contract.Schedule) { s.From = "source/shop" })
	w.apply(own, daily("b"))
	for range 2 { // two workers of different configurations, while one is rolled out
		w.configure(daily("a"), daily("c"))
		w.ensure()
		if got := w.status("a"); got.Source != "config" || got.Phase != contract.ScheduleEnabled || got.Schedule.Spec.Schedule != "0 2 * * *" ||
			!strings.Contains(strings.Join(got.Warnings, ""), "took the place of one that was applied from source/shop") {
			t.Errorf("%+v", got)
		}
		w.configure()
		w.ensure()
		got := w.status("a")
		if got.Source != "cli" || got.Phase != contract.ScheduleOff || got.Schedule.Spec.Schedule != "@hourly" || got.Schedule.From != "source/shop" ||
			!strings.Contains(strings.Join(got.Warnings, ""), "left the worker's configuration") || !w.temporal.schedules["a"].Paused {
			t.Errorf("%+v", got)
		}
	}
	if told := log.String(); strings.Count(told, "takes the place") != 2 || strings.Count(told, "has left the configuration") != 2 {
		t.Error(told)
	}
	equal(t, slices.Sorted(maps.Keys(w.temporal.schedules)), "a", "b") // c was the configuration's only
	equal(t, w.change(contract.ChangeSchedulesInput{Unpause: []string{"a"}}), "a unpaused")
	if got := w.status("a"); got.Phase != contract.ScheduleEnabled || len(got.Warnings) > 0 || w.temporal.schedules["a"].Paused {
		t.Errorf("%+v", got)
	}
	w.configure(daily("a"))
	w.configure()
	equal(t, w.change(contract.ChangeSchedulesInput{Apply: []contract.Schedule{own}}), "a configured") // as it was, and not paused
	if got := w.status("a"); got.Phase != contract.ScheduleEnabled || len(got.Warnings) > 0 {
		t.Errorf("%+v", got)
	}
}

// TestWarnsOfTemplate: a schedule whose backups could not be taken now is accepted with a warning:
// what is missing may come before it is due.
func TestWarnsOfTemplate(t *testing.T) {
	w := newWorld(t)
	w.Policies = func(_ context.Context, spec *velerov1.BackupSpec) error {
		if spec.ResourcePolicy == nil {
			return nil
		}
		return failure.Invalid("spec.resourcePolicy.name: there is no ConfigMap %s in namespace lifeboat; create it there or correct the name", spec.ResourcePolicy.Name)
	}
	named := daily("a", func(s *contract.Schedule) {
		s.Spec.Template.ResourcePolicy = &corev1.TypedLocalObjectReference{Kind: "configmap", Name: "missing"}
	})
	warnings := func(s contract.Schedule) string {
		t.Helper()
		res, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Apply: []contract.Schedule{s}})
		if err != nil || len(res.Changes) != 1 {
			t.Fatalf("%+v %v", res, err)
		}
		return strings.Join(res.Changes[0].Warnings, "\n")
	}
	if got := warnings(named); got != "its backups fail as things are: spec.template.resourcePolicy.name: there is no ConfigMap missing in namespace lifeboat; create it there or correct the name" {
		t.Error(got)
	}
	if got := warnings(daily("b")); got != "" {
		t.Error(got)
	}
	away := errors.New("dial tcp 192.0.2.1:443: connection refused")
	w.Locations = w.Locations.WithProbe(func(context.Context, velerov1.BackupStorageLocation) (store.Store, error) { return nil, away })
	if got := warnings(daily("b")); !strings.HasPrefix(got, `its backups fail as things are: storage location "default" is Unavailable: `) || !strings.Contains(got, "connection refused") {
		t.Error(got)
	}
}
