package catalog

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// An estimate rests on the restores that are Completed, of all locations, and on nothing else
// that lies beside them.
func TestEstimateRestore(t *testing.T) {
	stores := repositorytest.Stores{"default": memstore.New(), "west": memstore.New()}
	restore := func(st *memstore.Store, n int, phase string, objects int, took time.Duration) {
		name, start := fmt.Sprintf("r-%03d", n), time.Date(2026, 1, 1, n, 0, 0, 0, time.UTC)
		st.Set(repository.RestoreDocumentKey(name), fmt.Appendf(nil,
			`{"metadata":{"name":%q},"spec":{"backupName":"b"},"status":{"phase":%q,"startTimestamp":%q,"completionTimestamp":%q,"progress":{"itemsRestored":%d}}}`,
			name, phase, start.Format(time.RFC3339), start.Add(took).Format(time.RFC3339), objects))
	}
	for n := range 40 { // 10 s and 10 ms an object
		objects := 100 * (1 + n%20)
		restore(stores[[]string{"default", "west"}[n%2]], n, "Completed", objects, 10*time.Second+time.Duration(objects)*10*time.Millisecond)
	}
	restore(stores["west"], 50, "Failed", 1000, 10*time.Hour)
	restore(stores["west"], 51, "Completed", 0, 10*time.Hour) // nothing was left to restore
	stores["west"].Set(repository.RestoreDocumentKey("broken"), []byte("{"))
	files := layout.Backup{Name: "nightly"}
	stores["default"].Set(files.Metadata(), []byte(`{"metadata":{"name":"nightly","uid":"u"},"status":{"phase":"Completed","progress":{"itemsBackedUp":1500,"totalItems":1500}}}`))
	stores["default"].Set(files.Tarball(), []byte("x"))

	res, err := readerOver(stores).Read(t.Context(), contract.ReadInput{Verb: contract.ReadEstimate, Name: "nightly"})
	if err != nil {
		t.Fatal(err)
	}
	e := res.Estimate
	const truth = 25 * time.Second
	if e.Runs != 40 || e.Objects != 1500 || e.Volumes != 0 || e.Beyond || e.Low > truth || e.High < truth || e.Expected < 20*time.Second || e.Expected > 30*time.Second {
		t.Errorf("the truth is %s, estimated is %+v", truth, e)
	}
	if _, err := readerOver(stores).Read(t.Context(), contract.ReadInput{Verb: contract.ReadEstimate, Name: "gone"}); err == nil {
		t.Error("a backup that is not there has an estimate")
	}
}

// Drills count where few restores are recorded, but for those that have lost objects.
func TestEstimateByDrills(t *testing.T) {
	for restores, want := range map[int]int{0: 1, 9: 10, 10: 10} {
		st := memstore.New()
		c := readerOver(repositorytest.Stores{"default": st})
		for n := range restores {
			name := fmt.Sprintf("r-%d", n)
			st.Set(repository.RestoreDocumentKey(name), fmt.Appendf(nil, `{"metadata":{"name":%q},"status":{"phase":"Completed","startTimestamp":"2026-01-01T00:00:00Z","completionTimestamp":"2026-01-01T00:01:00Z","progress":{"itemsRestored":10}}}`, name))
		}
		st.Set(drills.Key(c.Config.Cluster, 1), evidenceFile(t, "files/valid-full.json"))
		st.Set(drills.Key(c.Config.Cluster, 2), evidenceFile(t, "files/valid-failed.json"))
		st.Set(drills.Key(c.Config.Cluster, 3), []byte("{"))
		runs, err := c.pastRuns(t.Context())
		if err != nil || len(runs) != want {
			t.Fatalf("%d restores: %+v, %v", restores, runs, err)
		}
		last := runs[len(runs)-1]
		if restores == 0 && (last.Objects != 309 || last.Volumes == 0 || last.Bytes == 0 || last.Took <= 0 || last.Took > 690*time.Second) {
			t.Errorf("%+v", last)
		}
	}
}

// Restores of less than a second count, and none is off by the seconds that the document's times are
// rounded to.
func TestEstimateByDurations(t *testing.T) {
	st := memstore.New()
	for name, restore := range map[string]string{
		"short": `"annotations":{"lifeboat-backup.github.io/duration":"412ms"}},"status":{"startTimestamp":"2026-01-01T00:00:00Z","completionTimestamp":"2026-01-01T00:00:00Z"`,
		"told":  `"annotations":{"lifeboat-backup.github.io/duration":"1.1s"}},"status":{"startTimestamp":"2026-01-01T00:01:00Z","completionTimestamp":"2026-01-01T00:01:02Z"`,
		"old":   `"name":"old"},"status":{"startTimestamp":"2026-01-01T00:02:00Z","completionTimestamp":"2026-01-01T00:02:02Z"`,
		"none":  `"name":"none"},"status":{"startTimestamp":"2026-01-01T00:03:00Z","completionTimestamp":"2026-01-01T00:03:00Z"`,
	} {
		st.Set(repository.RestoreDocumentKey(name), fmt.Appendf(nil, `{"metadata":{%s,"phase":"Completed","progress":{"itemsRestored":10}}}`, restore))
	}
	runs, err := readRuns(t.Context(), st)
	var took []time.Duration
	for _, r := range runs {
		took = append(took, r.Took)
	}
	if want := []time.Duration{412 * time.Millisecond, 1100 * time.Millisecond, 2 * time.Second}; err != nil || !slices.Equal(took, want) {
		t.Errorf("got %s, %v, want %s", took, err, want)
	}
}
