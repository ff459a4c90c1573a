package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/garbage/orphan"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry"
)

// TestDocumentedMetrics: docs/METRICS.md has each metric of ours that is registered, and no
// other.
func TestDocumentedMetrics(t *testing.T) {
	text, err := os.ReadFile("../docs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(lifeboat_[a-z_]+)`").FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = true
	}
	exported := registeredMetrics(t)
	for name := range exported {
		if !documented[name] {
			t.Errorf("%s is not in docs/METRICS.md", name)
		}
	}
	for name := range documented {
		if !exported[name] {
			t.Errorf("docs/METRICS.md has %s, which nobody exports; there are %s", name, slices.Sorted(maps.Keys(exported)))
		}
	}
}

// noTemporal takes schedules and runs none.
type noTemporal struct{}

func (noTemporal) Ensure(context.Context, schedule.Desired) error         { return nil }
func (noTemporal) Names(context.Context) ([]string, error)                { return nil, nil }
func (noTemporal) Delete(context.Context, string) error                   { return nil }
func (noTemporal) Running(context.Context, contract.Run) (bool, error)    { return false, nil }
func (noTemporal) Ended(context.Context, contract.Run) (time.Time, error) { return time.Time{}, nil }
func (noTemporal) Closed(context.Context, contract.Run) (bool, error)     { return true, nil }

// registeredMetrics are the names of our metrics in the registry of a worker that has done
// and seen something of everything. Before it has seen it, there is no answer.
func registeredMetrics(t *testing.T) map[string]bool {
	t.Helper()
	st := memstore.New()
	locations := repositorytest.Locations(repositorytest.Stores{"default": st})
	cfg := locations.Config()
	cfg.Cluster, cfg.Metrics.Listen, cfg.DefaultBackupTTL.Duration = "east", ":0", time.Hour
	cfg.Drills.SigningKey = &config.SigningKey{File: "key"}
	schedules := keptSchedules{
		backups: &schedule.Service{Config: cfg, Locations: locations, Temporal: noTemporal{}},
		drills:  &schedule.Service{Drills: true, Config: cfg, Locations: locations, Temporal: noTemporal{}},
	}
	fillBucket(t, cfg, schedules, st)

	ctx, seen, err := openTelemetry(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, call := telemetry.BeginCall(ctx, "s3", "PutObject")
	call.End(ctx, 503, telemetry.ResultThrottled)
	orphans := &orphan.Collector{Cluster: cfg.Cluster, Locations: locations, Runs: noTemporal{}}
	o, err := newObserver(cfg, seen, locations, schedules, orphans, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	o.runs.Count(ctx, contract.BackupWorkflow, contract.BackupResult{Phase: "Completed"}, nil, time.Second)
	h := onceReady(o.ready, http.NotFoundHandler())
	if code := statusOf(h); code != http.StatusServiceUnavailable {
		t.Errorf("before the bucket was read the answer is %d", code)
	}
	o.keeper.SetOrphans(contract.OrphanPlan{})
	if err := o.keeper.Read(ctx, true); err != nil {
		t.Fatal(err)
	}
	if code := statusOf(h); code != http.StatusNotFound {
		t.Errorf("after it, %d", code)
	}
	return namesIn(t, o)
}

func statusOf(h http.Handler) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	return w.Code
}

// namesIn are our names in the registry, all of them with the cluster's.
func namesIn(t *testing.T, o *observer) map[string]bool {
	t.Helper()
	families, err := o.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		if !regexp.MustCompile("^lifeboat_").MatchString(f.GetName()) {
			continue
		}
		names[f.GetName()] = true
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["cluster"] != "east" {
				t.Errorf("%s%v does not say whose it is", f.GetName(), labels)
			}
		}
	}
	return names
}

// fillBucket has the bucket hold one of everything.
func fillBucket(t *testing.T, cfg *config.Config, schedules keptSchedules, st *memstore.Store) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	nightly := contract.Schedule{Name: "nightly", Spec: velerov1.ScheduleSpec{Schedule: "@daily"}}
	quarterly := contract.Schedule{Name: "quarterly", Spec: velerov1.ScheduleSpec{Schedule: "0 10 1 */3 *"}, Drill: &definition.Spec{Source: definition.Source{Pick: definition.PickLatest}}}
	scheduleWithRun(t, schedules.backups, st, nightly, now)
	scheduleWithRun(t, schedules.drills, st, quarterly, now)
	backup := repositorytest.Backup{Name: "b", UID: "u", Cluster: cfg.Cluster, Schedule: "nightly", Started: now}
	restore := &velerov1.Restore{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Status: velerov1.RestoreStatus{
		Phase: velerov1.RestorePhaseCompleted, StartTimestamp: &metav1.Time{Time: now}, CompletionTimestamp: &metav1.Time{Time: now.Add(time.Minute)},
	}}
	evidence, err := os.ReadFile("../internal/drill/evidence/testdata/files/valid-full.json")
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		drills.Write(ctx, st, cfg.Cluster, 1, evidence),
		repositorytest.Commit(ctx, st, backup),
		(&beside.Verification{Name: "b", UID: "u", At: now}).Write(ctx, st),
		beside.WriteRehearsal(ctx, st, contract.RehearsalResult{Backup: "b", UID: "u", Level: contract.LevelEqual}),
		repository.PutJSON(ctx, st, repository.RestoreDocumentKey("r"), restore, store.PutOptions{}),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// scheduleWithRun makes a schedule that has run once, and well.
func scheduleWithRun(t *testing.T, schedules *schedule.Service, st *memstore.Store, s contract.Schedule, now time.Time) {
	t.Helper()
	_, err := schedules.Change(t.Context(), contract.ChangeSchedulesInput{Drills: schedules.Drills, Apply: []contract.Schedule{s}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := repository.ReadSchedule(t.Context(), st, layout.Schedules{Cluster: schedules.Config.Cluster, Drills: schedules.Drills}, s.Name)
	if err == nil {
		err = repository.ChangeScheduleRuns(t.Context(), st, d, func(r *repository.ScheduleRuns) (bool, error) {
			r.Note(contract.ScheduleSlot{Due: now, Started: now, Ended: now, Outcome: contract.SlotRan, Phase: "Completed"})
			return true, nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}
