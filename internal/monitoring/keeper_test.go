package monitoring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// world is a bucket in memory, with what schedules are said to be.
type world struct {
	t         *testing.T
	st        *memstore.Store
	locations *repository.Locations
	schedules []schedule.Measure
	drills    []schedule.Measure // schedules of drills
	down      error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	st := memstore.New()
	return &world{t: t, st: st, locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
}

// keeper is the one of a worker that was started just now.
func (w *world) keeper() (*Keeper, *sdkmetric.ManualReader) {
	w.t.Helper()
	reader := sdkmetric.NewManualReader()
	r := &Reader{
		Cluster: "east", Locations: w.locations,
		Schedules:      func(context.Context) ([]schedule.Measure, error) { return w.schedules, w.down },
		DrillSchedules: func(context.Context) ([]schedule.Measure, error) { return w.drills, w.down },
		Expired: func(context.Context) (contract.GarbagePlan, error) {
			return contract.GarbagePlan{Keep: []contract.GarbageRow{{Cause: "floor"}, {Cause: "held"}, {Cause: "floor"}}, MoreKeep: 4}, nil
		},
		Orphans: func(context.Context) (contract.OrphanPlan, error) {
			return contract.OrphanPlan{Keep: []contract.Orphan{{Kind: contract.OrphanSnapshot}}}, nil
		},
	}
	k, err := NewKeeper(r, sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"), slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	return k, reader
}

// TestUnplanned: that a collection cannot be planned keeps no other gauge from being shown, and
// is told.
func TestUnplanned(t *testing.T) {
	w := newWorld(t)
	w.fill()
	k, shown := w.keeper()
	k.reader.Expired = func(context.Context) (contract.GarbagePlan, error) {
		return contract.GarbagePlan{}, errors.New("a damaged hold")
	}
	if err := k.Read(t.Context(), true); err == nil || k.Ready() != nil {
		t.Errorf("%v, ready: %v", err, k.Ready())
	}
	if got := values(t, shown); got["lifeboat.location.available{location=default}"] != 1 || got["lifeboat.orphans{fate=kept,kind=snapshot}"] != 1 {
		t.Error(got)
	}
}

func (w *world) backup(name, schedule, cluster string, phase velerov1.BackupPhase, started time.Time) {
	w.t.Helper()
	done := started.Add(time.Minute)
	doc := &velerov1.Backup{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID("uid-" + name), Annotations: map[string]string{repository.AnnotationUID: "uid-" + name, repository.AnnotationWorkflow: contract.BackupID(cluster, name)},
	}}
	if schedule != "" {
		doc.Labels = map[string]string{repository.LabelSchedule: schedule}
	}
	doc.Status = velerov1.BackupStatus{
		Phase: phase, StartTimestamp: &metav1.Time{Time: started}, CompletionTimestamp: &metav1.Time{Time: done},
		Progress: &velerov1.BackupProgress{ItemsBackedUp: 7}, CSIVolumeSnapshotsCompleted: 2,
	}
	if err := repository.CommitBackup(w.t.Context(), w.st, doc); err != nil {
		w.t.Fatal(err)
	}
}

// values are all gauges but the time of the read, as "name{labels}": value.
func values(t *testing.T, reader *sdkmetric.ManualReader) map[string]float64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			for _, p := range m.Data.(metricdata.Gauge[float64]).DataPoints {
				var labels []string
				for _, kv := range p.Attributes.ToSlice() {
					labels = append(labels, string(kv.Key)+"="+kv.Value.AsString())
				}
				if m.Name != "lifeboat.state.read_timestamp" {
					out[m.Name+"{"+strings.Join(labels, ",")+"}"] = p.Value
				}
			}
		}
	}
	return out
}

func at(text string) time.Time {
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return parsed
}

// TestRestart: a worker that was started anew shows what the one before did, and nothing
// before it knows.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	w.fill()
	first, shown := w.keeper()
	if got := values(t, shown); len(got) != 0 || first.Ready() == nil {
		t.Fatalf("shown before anything was read: %v", got)
	}
	if err := first.Read(t.Context(), true); err != nil || first.Ready() != nil {
		t.Fatal(err, first.Ready())
	}
	before := values(t, shown)
	second, again := w.keeper()
	if err := second.Read(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if after := values(t, again); !maps.Equal(before, after) {
		t.Errorf("before the restart\n%v\nand after it\n%v", before, after)
	}
	for key, want := range map[string]float64{
		"lifeboat.schedule.next_due{schedule=nightly}":                         float64(at("2026-03-03T02:00:00Z").Unix()),
		"lifeboat.schedule.expected_interval{schedule=nightly}":                86400,
		"lifeboat.schedule.due_times{outcome=missed,schedule=nightly}":         3,
		"lifeboat.schedule.valid{schedule=nightly}":                            1,
		"lifeboat.drill_schedule.valid{schedule=quarterly}":                    0,
		"lifeboat.drill_schedule.next_due{schedule=quarterly}":                 float64(at("2026-04-07T10:00:00Z").Unix()),
		"lifeboat.drill_schedule.expected_interval{schedule=quarterly}":        91 * 86400,
		"lifeboat.drill_schedule.last_passed_timestamp{schedule=quarterly}":    float64(at("2026-01-06T10:00:00Z").Unix()),
		"lifeboat.drill_schedule.due_times{outcome=failed,schedule=quarterly}": 1,
		"lifeboat.backup.last_success_timestamp{schedule=nightly}":             float64(at("2026-03-02T02:00:00Z").Unix()),
		"lifeboat.backup.last_success_timestamp{schedule=}":                    float64(at("2026-03-01T12:00:00Z").Unix()),
		"lifeboat.backup.last_duration{schedule=nightly}":                      60,
		"lifeboat.backup.last_objects{schedule=nightly}":                       7,
		"lifeboat.backup.last_volumes{schedule=nightly}":                       2,
		"lifeboat.backups.stored{location=default,phase=Completed}":            2,
		"lifeboat.backups.stored{location=default,phase=PartiallyFailed}":      1,
		"lifeboat.backups.stored{location=default,phase=Corrupt}":              1,
		"lifeboat.location.available{location=default}":                        1,
		"lifeboat.verification.last_timestamp{location=default}":               float64(at("2026-03-03T06:00:00Z").Unix()),
		"lifeboat.restore.last_duration{location=default}":                     90,
		"lifeboat.drill.last_passed_timestamp{location=default}":               float64(at("2026-01-02T03:00:00Z").Unix()),
		"lifeboat.drill.last_recovery_time{location=default}":                  690,
		"lifeboat.orphans{fate=kept,kind=snapshot}":                            1,
		"lifeboat.orphans{fate=to be removed,kind=volume}":                     0,
		"lifeboat.expired.backups{cause=floor}":                                2,
		"lifeboat.expired.backups{cause=held}":                                 1,
		"lifeboat.expired.backups{cause=failed}":                               0,
		"lifeboat.expired.backups{cause=untold}":                               4,
	} {
		if got, ok := before[key]; !ok || got != want {
			t.Errorf("%s is %v, want %v; there are\n%s", key, got, want, strings.Join(slices.Sorted(maps.Keys(before)), "\n"))
		}
	}
}

// fill has the bucket hold good and bad backups, of this cluster and another.
func (w *world) fill() {
	w.t.Helper()
	w.schedules = []schedule.Measure{{
		Name: "nightly", Valid: true, NextDue: at("2026-03-03T02:00:00Z"), Interval: 24 * time.Hour, LastSuccess: at("2026-03-02T02:00:00Z"), Counts: map[string]int64{contract.SlotMissed: 3},
	}}
	w.drills = []schedule.Measure{{
		Name: "quarterly", NextDue: at("2026-04-07T10:00:00Z"), Interval: 91 * 24 * time.Hour, LastSuccess: at("2026-01-06T10:00:00Z"), Counts: map[string]int64{contract.SlotFailed: 1},
	}}
	w.backup("n1", "nightly", "east", velerov1.BackupPhaseCompleted, at("2026-03-02T02:00:00Z"))
	w.backup("n2", "nightly", "east", velerov1.BackupPhasePartiallyFailed, at("2026-03-03T02:00:00Z"))
	w.backup("corrupt", "nightly", "east", velerov1.BackupPhaseCompleted, at("2026-03-03T04:00:00Z"))
	w.backup("by-hand", "", "east", velerov1.BackupPhaseCompleted, at("2026-03-01T12:00:00Z"))
	w.backup("other", "", "west", velerov1.BackupPhaseCompleted, at("2026-03-05T12:00:00Z"))
	v := beside.Verification{Name: "corrupt", UID: "uid-corrupt", At: at("2026-03-03T06:00:00Z")}
	v.AddDamage("a file", "is gone")
	restore := &velerov1.Restore{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Status: velerov1.RestoreStatus{
		Phase: velerov1.RestorePhaseCompleted, StartTimestamp: &metav1.Time{Time: at("2026-03-03T08:00:00Z")}, CompletionTimestamp: &metav1.Time{Time: at("2026-03-03T08:01:30Z")},
	}}
	err := errors.Join(v.Write(w.t.Context(), w.st), repository.PutJSON(w.t.Context(), w.st, repository.RestoreDocumentKey("r"), restore, store.PutOptions{}),
		beside.WriteRehearsal(w.t.Context(), w.st, contract.RehearsalResult{Backup: "n1", UID: "uid-n1", Level: contract.LevelEqual}))
	if err != nil {
		w.t.Fatal(err)
	}
	for i, name := range []string{"valid-full.json", "valid-failed.json", "valid-full.json"} { // the last two have not passed
		content, err := os.ReadFile("../drill/evidence/testdata/files/" + name)
		if err != nil {
			w.t.Fatal(err)
		}
		if i == 2 { // cut off
			content = content[:100]
		}
		w.st.Set(drills.Key("east", int64(i)+1), content)
	}
}

// TestGoneSchedule: a schedule that was deleted or paused has no series in the next scrape.
func TestGoneSchedule(t *testing.T) {
	w := newWorld(t)
	w.fill()
	k, shown := w.keeper()
	if err := k.Read(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	w.schedules, w.drills = nil, nil
	if err := k.Read(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for key := range values(t, shown) {
		if strings.Contains(key, "nightly") || strings.Contains(key, "quarterly") {
			t.Errorf("%s is there still", key)
		}
	}
}

// TestOutage: what was read last is shown while the bucket cannot be read, and it is told that
// it cannot.
func TestOutage(t *testing.T) {
	w := newWorld(t)
	w.fill()
	k, shown := w.keeper()
	w.down = errors.New("no bucket today")
	if err := k.Read(t.Context(), true); err == nil || k.Ready() == nil || len(values(t, shown)) != 0 {
		t.Fatal(err, k.Ready(), values(t, shown))
	}
	w.down = nil
	if err := k.Read(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	before := values(t, shown)
	w.down = errors.New("no bucket today")
	w.st.Fail(memstore.Any, fmt.Errorf("reset by peer: %w", store.ErrUnavailable))
	if err := k.Read(t.Context(), true); err == nil || k.Ready() != nil {
		t.Error(err, k.Ready())
	}
	before["lifeboat.location.available{location=default}"] = 0
	if after := values(t, shown); !maps.Equal(before, after) {
		t.Errorf("before the outage\n%v\nand in it\n%v", before, after)
	}
}

// TestFirstAnswerIsWhole: nothing is shown before orphans and expired backups have been looked for, and
// then all that the worker before has shown.
func TestFirstAnswerIsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fill()
		first, shown := w.keeper()
		if err := first.Read(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		before := values(t, shown)
		second, again := w.keeper()
		plan := second.reader.Orphans
		second.reader.Orphans = func(ctx context.Context) (contract.OrphanPlan, error) {
			time.Sleep(30 * time.Second)
			return plan(ctx)
		}
		ended := make(chan error, 1)
		go func() { ended <- second.Read(t.Context(), true) }()
		for second.Ready() != nil {
			if got := values(t, again); len(got) != 0 {
				t.Errorf("shown while it is not ready: %v", got)
			}
			time.Sleep(time.Second)
		}
		if after := values(t, again); !maps.Equal(before, after) {
			t.Errorf("before the restart\n%v\nand in the first answer after it\n%v", before, after)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestCountsThatDoNotCome: an account that does not answer holds the first answer up for a minute. Its
// series follow as soon as it does.
func TestCountsThatDoNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fill()
		k, shown := w.keeper()
		plan := k.reader.Orphans
		k.reader.Orphans = func(ctx context.Context) (contract.OrphanPlan, error) {
			<-ctx.Done()
			return contract.OrphanPlan{}, ctx.Err()
		}
		began := time.Now()
		err := k.Read(t.Context(), true)
		if took := time.Since(began); err == nil || k.Ready() != nil || took != firstCountsTimeout {
			t.Errorf("%v after %s, ready: %v", err, took, k.Ready())
		}
		const orphans, expired = "lifeboat.orphans{fate=kept,kind=snapshot}", "lifeboat.expired.backups{cause=floor}"
		got := values(t, shown)
		if _, known := got[orphans]; known || got[expired] != 2 || got["lifeboat.location.available{location=default}"] != 1 {
			t.Error(got)
		}
		k.reader.Orphans = plan
		if err := k.Read(t.Context(), false); err != nil || values(t, shown)[orphans] != 1 {
			t.Error(err, values(t, shown))
		}
	})
}

// TestChangesAreReadTogether: a collection deletes a backup every few moments. The bucket is read
// soon after the first, and reads that take long take a tenth of the time at most.
func TestChangesAreReadTogether(t *testing.T) {
	for took, most := range map[time.Duration]int{10 * time.Millisecond: 300, 200 * time.Millisecond: 152, 2 * time.Second: 16, time.Minute: 4} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			reads := 0
			k, _ := w.keeper()
			k.reader.Now = nil
			k.reader.DrillSchedules = func(context.Context) ([]schedule.Measure, error) {
				reads++
				time.Sleep(took)
				return nil, nil
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { k.Run(ctx); close(ended) }()
			time.Sleep(2 * time.Minute) // the first look for orphans is done
			reads = 0
			for range 1200 {
				k.Changed()
				time.Sleep(250 * time.Millisecond)
			}
			if reads < 1 || reads > most {
				t.Errorf("%d reads of %s in five minutes, want at most %d", reads, took, most)
			}
			cancel()
			<-ended
		})
	}
}

// TestDueTimesByResult: there is a series for each result that a due time can have, of schedules of
// backups and of drills; what has not happened yet is 0, so that the first time is an increase.
func TestDueTimesByResult(t *testing.T) {
	w := newWorld(t)
	counts := map[string]int64{contract.SlotRan: 7, contract.SlotFailed: 1, contract.SlotSkipped: 2, contract.SlotMissed: 3, contract.SlotPaused: 4, contract.SlotRunning: 1}
	w.schedules = []schedule.Measure{{Name: "nightly", Counts: counts}, {Name: "new"}}
	w.drills = []schedule.Measure{{Name: "quarterly", Counts: counts}}
	k, shown := w.keeper()
	if err := k.Read(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	got := values(t, shown)
	for outcome, n := range counts {
		for series, want := range map[string]int64{
			"lifeboat.schedule.due_times{outcome=" + outcome + ",schedule=nightly}":         n,
			"lifeboat.schedule.due_times{outcome=" + outcome + ",schedule=new}":             0,
			"lifeboat.drill_schedule.due_times{outcome=" + outcome + ",schedule=quarterly}": n,
		} {
			if v, shown := got[series]; !shown || v != float64(want) {
				t.Errorf("%s is %v (shown: %t), want %d", series, v, shown, want)
			}
		}
	}
}
