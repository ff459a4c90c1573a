package orphan_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/catalog"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/garbage/orphan"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

// TestSize: of many backups with 20 snapshots each, half of which have expired, a list takes less
// than a second, collections take the half, in less than a minute beside what EC2's rates and the
// simulator itself take, and memory does not grow with what was deleted. make soak has a thousand
// backups.
func TestSize(t *testing.T) {
	backups := 50
	if isSoak() {
		backups = 1000
	}
	server := kubetest.Start(t, kubetest.WithIdentity("uid-of-prod"))
	inWorld(t, func(t *testing.T, w *world) {
		w.attach(20)
		i := w.known("prod")
		for n := range backups {
			name, expires := fmt.Sprintf("b-%04d", n), time.Now().Add(time.Hour)
			if n%2 == 1 {
				expires = time.Now().Add(99 * day)
			}
			i.commit(name, "", expires, w.snapshotAll(i.tags(name))...)
		}
		time.Sleep(2 * day)
		list := func() time.Duration {
			began := w.clock()
			reader := &catalog.Reader{Config: i.locations.Config(), Locations: i.locations}
			for in := (contract.ReadInput{Verb: contract.ReadBackups}); ; {
				res, err := reader.Read(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				if in.Continue = res.Continue; in.Continue == "" {
					return w.clock().Sub(began)
				}
			}
		}
		list() // writes the entries of backups that have none
		if took := list(); took > time.Second {
			t.Errorf("a list took %s", took)
		}
		before := heap()
		began, busy, snapshots := w.clock(), w.wire.ownTime(), len(w.left())
		for range 1 + backups/400 { // a plan has at most 200 rows
			if err := i.collection(server).run(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		took := w.clock().Sub(began)
		busy = w.wire.ownTime() - busy
		t.Logf("%d backups: collected in %s, %s of it the simulator's own, the heap grew from %d to %d KiB", backups, took, busy, before>>10, heap()>>10)
		if gone := snapshots - len(w.left()); gone != backups/2*20 {
			t.Errorf("%d snapshots are gone", gone)
		}
		if took-busy > time.Minute {
			t.Errorf("took %s, %s of it the simulator's own", took, busy)
		}
		if after := heap(); after > before+64<<20 {
			t.Errorf("the heap grew from %d to %d bytes", before, after)
		}
	})
}

// TestManyVolumeSnapshots: a search of a cluster with many VolumeSnapshots, each with its content,
// takes a time that grows as their number does. One that looks through all contents for each of
// them took 14 s for as many.
func TestManyVolumeSnapshots(t *testing.T) {
	const count = 50_000
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		old, place := time.Now().Add(-2*day), i.place()
		for n := range count {
			name := fmt.Sprintf("content-%06d", count-n)
			i.objects.contents = append(i.objects.contents, orphan.Content{Name: name, Handle: "snap-" + name})
			i.objects.taken = append(i.objects.taken, orphan.VolumeSnapshot{
				Namespace: "shop", Name: name, UID: "object", Content: name, Backup: "lost", BackupUID: "uid-lost", Cluster: "prod", Place: place, Created: old,
			})
		}
		began := w.clock()
		plan := i.plan()
		took := w.clock().Sub(began)
		t.Logf("took %s", took)
		if n := len(plan.Remove); n == 0 || !strings.HasPrefix(plan.Remove[0].Handle, "snap-content-") {
			t.Errorf("%d to remove: %+v", n, plan.Remove)
		}
		if took > 3*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// heap is what is in use, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
