package catalog

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// storeLatency is what each request waits: S3 takes 10 to 30 ms to its first byte.
const storeLatency = 20 * time.Millisecond

// manyObjects are 100,000, of which 1 % are another state in each generation.
func manyObjects(generation int) []repositorytest.Object {
	all := make([]repositorytest.Object, 0, 100_000)
	for i := range 100_000 {
		resource := []string{"configmaps", "secrets", "pods", "deployments.apps"}[i/25_000]
		state := 0
		if i%100 < generation {
			state = i % 100
		}
		all = append(all, stored(resource, fmt.Sprintf("ns-%03d", i/100%250), fmt.Sprintf("object-%05d-abcdef", i),
			fmt.Sprintf(`{"metadata":{"uid":"%032d","resourceVersion":"%d"},"data":{"state":"%d"}}`, i, state, state)))
	}
	return all
}

// generations stores as many backups of so many generations; those of one generation share
// their bytes. The stores of one take 6 MB.
func generations(b testing.TB, backups, kinds int) *memstore.Store {
	b.Helper()
	st := memstore.New()
	for g := range kinds {
		made := repositorytest.Backup{Name: fmt.Sprint("g-", g), UID: "u", Started: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Objects: manyObjects(g)}
		if err := repositorytest.Commit(b.Context(), st, made); err != nil {
			b.Fatal(err)
		}
		files := layout.Backup{Name: made.Name}
		m, err := repository.ReadManifest(b.Context(), st, made.Name)
		if err != nil {
			b.Fatal(err)
		}
		index, _ := st.Object(files.Index())
		for n := g; n < backups; n += kinds {
			alias := repositorytest.Backup{Name: fmt.Sprintf("night-%03d", n), UID: "u", Started: made.Started.AddDate(0, 0, n)}
			l := layout.Backup{Name: alias.Name}
			m.Backup, m.Created = alias.Name, alias.Started
			for i := range m.Files {
				m.Files[i].Name = alias.Name + []string{".tar.gz", "-lifeboat-index.gz"}[i]
			}
			data, err := archive.EncodeManifest(m)
			if err != nil {
				b.Fatal(err)
			}
			doc, _ := json.Marshal(repositorytest.Document(alias))
			st.Set(l.Manifest(), data)
			st.Set(l.Index(), index)
			st.Set(l.Metadata(), doc)
		}
		for _, key := range st.Keys() {
			if files.Metadata() == key || files.Tarball() == key || files.Index() == key || files.Manifest() == key {
				st.Remove(key)
			}
		}
	}
	memstore.WithDelay(memstore.Any, storeLatency)(st)
	return st
}

// reportCPU reports the processor time of an operation: on a machine that others use too, the
// time on the clock says little.
func reportCPU(b *testing.B) func() {
	b.Helper()
	now := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began := now()
	return func() { b.ReportMetric(float64((now()-began).Milliseconds())/float64(b.N), "cpu-ms/op") }
}

// BenchmarkBackupDiff compares two backups of 100,000 objects.
func BenchmarkBackupDiff(b *testing.B) {
	c := changesReader(repositorytest.Stores{"default": generations(b, 2, 2)})
	defer reportCPU(b)()
	for b.Loop() {
		res, err := c.Read(b.Context(), contract.ReadInput{Verb: contract.ReadBackupDiff, Name: "night-000", To: "night-001"})
		if err != nil || res.Diff.Same+res.Diff.Changed != 100_000 {
			b.Fatal(err, res.Diff)
		}
	}
}

// BenchmarkObjectHistory looks one object up in 365 backups of 100,000 objects.
func BenchmarkObjectHistory(b *testing.B) {
	c := changesReader(repositorytest.Stores{"default": generations(b, 365, 8)})
	defer reportCPU(b)()
	for b.Loop() {
		res, err := c.Read(b.Context(), contract.ReadInput{Verb: contract.ReadObjectHistory, Object: "secrets/ns-001/object-25101-abcdef"})
		if err != nil || len(res.History.Backups) != 365 || res.History.Backups[2].Version == 0 {
			b.Fatal(err, res.History)
		}
	}
}

// TestChangesAreFast: make soak. Two backups of 100,000 objects are compared, and an object is
// looked up in 365 of them, in less than a second each, and neither keeps what it has read. The
// quickest of five counts, since other work on the machine is no fault of the code.
func TestChangesAreFast(t *testing.T) {
	if os.Getenv("LIFEBOAT_SOAK") == "" {
		t.Skip("takes a minute: make soak")
	}
	c := changesReader(repositorytest.Stores{"default": generations(t, 365, 8)})
	for name, in := range map[string]contract.ReadInput{
		"diff":    {Verb: contract.ReadBackupDiff, Name: "night-000", To: "night-001"},
		"history": {Verb: contract.ReadObjectHistory, Object: "secrets/ns-001/object-25101-abcdef"},
	} {
		t.Run(name, func(t *testing.T) {
			best, before := time.Hour, heapInUse()
			var res contract.ReadResult
			for range 5 {
				began := time.Now()
				var err error
				if res, err = c.Read(t.Context(), in); err != nil {
					t.Fatal(err)
				}
				best = min(best, time.Since(began))
			}
			grown := heapInUse() - before
			t.Logf("%s, and %d KiB more in use", best, grown>>10)
			if best > time.Second {
				t.Errorf("took %s", best)
			}
			if grown > 4<<20 {
				t.Errorf("%d bytes stay in use", grown)
			}
			runtime.KeepAlive(res)
		})
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // pools are emptied by the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
