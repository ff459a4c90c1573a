package activities_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"sync"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// frozen stops the first attempt of an activity at one of its writes, as a process that stands
// still is stopped. A second attempt is made and ends, then the first one goes on.
type frozen struct {
	at      int    // at which write of the run
	only    string // of this activity; "" is any
	runsOn  bool   // it goes on to its end; otherwise no request follows that write
	late    bool   // it goes on when the run has ended, not when the second attempt has
	between func() // before the second attempt

	mu       sync.Mutex
	writes   int
	id       string // of the activity that is frozen
	activity string // its name
	key      string // of the write
	stopped  chan struct{}
	goOn     chan struct{}
	ended    chan struct{}
}

// attemptKey is the key of an attempt in its context.
type attemptKey struct{}

// attempt is one of an activity.
type attempt struct {
	activity, id string
	first        bool
}

// intercept is called with each request to the store.
func (f *frozen) intercept(ctx context.Context, r memstore.Request) error {
	a, _ := ctx.Value(attemptKey{}).(attempt)
	write := memstore.On(memstore.OpPut, memstore.OpCompose, memstore.OpDelete)(r)
	if !a.first || f.only != "" && a.activity != f.only {
		return nil
	}
	f.mu.Lock()
	switch {
	case f.id == a.id && !f.runsOn:
		f.mu.Unlock()
		return context.Canceled
	case f.id == "" && write:
		f.writes++
		if f.writes > f.at {
			f.id, f.activity, f.key = a.id, a.activity, r.Key
			f.mu.Unlock()
			close(f.stopped)
			<-f.goOn
			return nil
		}
	}
	f.mu.Unlock()
	return nil
}

// wrap has the attempts of an activity stopped and made to go on.
func (f *frozen) wrap(name string, do reflect.Value) reflect.Value {
	return reflect.MakeFunc(do.Type(), func(args []reflect.Value) []reflect.Value {
		ctx := args[0].Interface().(context.Context)
		info := activity.GetInfo(ctx)
		a := attempt{name, info.ActivityID, info.Attempt == 1}
		args[0] = reflect.ValueOf(context.WithValue(context.WithoutCancel(ctx), attemptKey{}, a)) // who stands still learns of no end
		if !a.first {
			out := do.Call(args)
			if f.isFrozen(a) && !f.late {
				f.wake()
			}
			return out
		}
		done := make(chan []reflect.Value, 1)
		go func() {
			out := do.Call(args)
			if f.isFrozen(a) {
				close(f.ended)
			}
			done <- out
		}()
		select {
		case out := <-done:
			return out
		case <-f.stoppedAt(a):
			f.between()
			lost := temporal.NewApplicationError("heartbeat timeout", "Timeout")
			return []reflect.Value{reflect.Zero(do.Type().Out(0)), reflect.ValueOf(&lost).Elem()}
		}
	})
}

// wake lets the attempt go on to its end.
func (f *frozen) wake() {
	close(f.goOn)
	<-f.ended
}

func (f *frozen) isFrozen(a attempt) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.id == a.id
}

// stoppedAt is closed when this attempt is stopped.
func (f *frozen) stoppedAt(a attempt) <-chan struct{} {
	mine := make(chan struct{})
	go func() {
		<-f.stopped
		if f.isFrozen(a) {
			close(mine)
		}
	}()
	return mine
}

// freeze makes the attempts of a worker stop as f says.
func freeze(s *site, st *memstore.Store, f *frozen) {
	f.stopped, f.goOn, f.ended = make(chan struct{}), make(chan struct{}), make(chan struct{})
	for name, do := range maps.Clone(s.activities) {
		s.activities[name] = f.wrap(name, do)
	}
	st.Intercept(f.intercept)
}

// addLarge adds ConfigMaps that do not compress, so that they fill more than one chunk.
func addLarge(api *kubetest.Server, n int) {
	draw := rand.NewChaCha8([32]byte{})
	for i := range n {
		data := make([]byte, 300<<10)
		_, _ = draw.Read(data)
		api.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("large-%02d", i)}, BinaryData: map[string][]byte{"x": data}})
	}
}

// TestAttemptThatWasTakenForDead: an attempt stands still at a write and goes on when another
// has taken its place, or when the run has ended. The backup has every object that was there
// all the time, once, and is whole, at whichever write that was.
func TestAttemptThatWasTakenForDead(t *testing.T) {
	for name, tc := range map[string]struct {
		frozen *frozen
		large  int
		writes int // at least
	}{
		"one write lands":        {&frozen{}, 0, 20},
		"it runs on":             {&frozen{runsOn: true}, 0, 20},
		"late, one write lands":  {&frozen{late: true}, 0, 20},
		"late, it runs on":       {&frozen{late: true, runsOn: true}, 0, 20},
		"two chunks, it runs on": {&frozen{only: contract.ExportShard.Name, runsOn: true}, 16, 4},
	} {
		t.Run(name, func(t *testing.T) {
			eachWrite(t, tc.writes, tc.frozen, func(f *frozen, where func() string) {
				all, api := buckets{}, newCluster(t, "ours")
				addLarge(api, tc.large)
				f.between = func() {
					api.Remove(kube.ConfigMaps(), "shop", "ours-0")
					api.Remove(kube.ConfigMaps(), "shop", "large-00")
					api.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "zz"}})
				}
				worker := newSite(t, api, all, "p", "")
				freeze(worker, all["p"], f)
				if err := newQueue(1, worker).backup(t, "b"); err != nil {
					t.Errorf("%s: %v", where(), err)
				}
				if f.late && f.id != "" {
					f.wake()
				}
				all["p"].Intercept(nil)
				checkBackup(t, where(), all["p"], api)
			})
		})
	}
}

// TestDeletionThatWasTakenForDead: an attempt of a deletion stands still at a write. When it
// goes on there is another backup of the name, which stays whole.
func TestDeletionThatWasTakenForDead(t *testing.T) {
	for name, start := range map[string]*frozen{"one write lands": {late: true}, "it runs on": {late: true, runsOn: true}} {
		t.Run(name, func(t *testing.T) {
			eachWrite(t, 15, start, func(f *frozen, where func() string) {
				all, api := buckets{}, newCluster(t, "ours")
				q := newQueue(1, newSite(t, api, all, "p", ""))
				if err := q.backup(t, "b"); err != nil {
					t.Fatal(err)
				}
				slow := newSite(t, api, all, "p", "")
				f.between = func() {}
				freeze(slow, all["p"], f)
				if err := newQueue(1, slow).delete(t, "b"); err != nil {
					t.Errorf("%s: %v", where(), err)
				}
				if err := q.run(t, "uid-again", contract.BackupWorkflow, contract.BackupInput{Name: "b", Spec: velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}}}); err != nil {
					t.Errorf("%s: the name is taken: %v", where(), err)
				}
				if f.id != "" {
					f.wake()
				}
				all["p"].Intercept(nil)
				checkBackup(t, where(), all["p"], api)
				all["p"].Remove(layout.Tombstone("b")) // one that lands late does no harm: the next deletion goes on with it
				checkClean(t, all)
			})
		})
	}
}

// TestRestoreThatWasTakenForDead: an attempt of a restore stands still at a write, and goes on
// when another has taken its place, or when the run has ended. All objects are restored and
// the result says so, at whichever write that was. One object is refused until the attempt
// stands still: what it had to say of it does not count.
func TestRestoreThatWasTakenForDead(t *testing.T) {
	for name, tc := range map[string]struct {
		frozen  *frozen
		refused bool
		writes  int // at least
	}{
		"one write lands":                    {&frozen{}, false, 8},
		"it runs on":                         {&frozen{runsOn: true}, false, 8},
		"late, it runs on":                   {&frozen{late: true, runsOn: true}, false, 8},
		"with a refusal, one write lands":    {&frozen{only: contract.ApplyTask.Name}, true, 2},
		"with a refusal, it runs on":         {&frozen{only: contract.ApplyTask.Name, runsOn: true}, true, 2},
		"with a refusal, late, it runs on":   {&frozen{only: contract.ApplyTask.Name, runsOn: true, late: true}, true, 2},
		"while results are written, it runs": {&frozen{only: contract.FinishRestore.Name, runsOn: true}, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			eachWrite(t, tc.writes, tc.frozen, func(f *frozen, where func() string) {
				all, api := buckets{}, newCluster(t, "ours")
				if err := newQueue(1, newSite(t, api, all, "p", "")).backup(t, "b"); err != nil {
					t.Fatal(err)
				}
				if tc.refused {
					api.Refuse(kubetest.On("create", kube.ConfigMaps()).In("copy").Named("ours-3"), http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "not yet")
				}
				f.between = api.Calm
				worker := newSite(t, api, all, "p", "")
				freeze(worker, all["p"], f)
				if err := newQueue(1, worker).restore(t, "r", "b", "copy"); err != nil {
					t.Errorf("%s: %v", where(), err)
				}
				if f.id == "" {
					return
				}
				if f.late {
					f.wake()
				}
				all["p"].Intercept(nil)
				checkAllOf(t, where(), "ours", restored(api, "copy"))
				checkRestore(t, where(), all["p"])
			})
		})
	}
}

// checkRestore fails unless the restore "r" is complete and no object of it failed.
func checkRestore(t *testing.T, where string, st *memstore.Store) {
	t.Helper()
	var doc velerov1.Restore
	err := repository.GetJSON(t.Context(), st, repository.RestoreDocumentKey("r"), &doc)
	if err != nil || doc.Status.Phase != velerov1.RestorePhaseCompleted || doc.Status.Errors > 0 || doc.Status.Progress.ItemsRestored < objectsEach {
		t.Errorf("%s: %v; %+v %+v", where, err, doc.Status, doc.Status.Progress)
	}
}

// eachWrite runs something once for each of its writes, at which an attempt is stopped.
func eachWrite(t *testing.T, atLeast int, start *frozen, run func(f *frozen, where func() string)) {
	t.Helper()
	for at := 0; ; at++ {
		f := &frozen{at: at, only: start.only, runsOn: start.runsOn, late: start.late}
		run(f, func() string { return fmt.Sprintf("%s, write %d (%s)", f.activity, f.at, f.key) })
		if f.id == "" {
			if at < atLeast {
				t.Errorf("%d writes were stopped at: the test shows too little", at)
			}
			return
		}
	}
}

// checkBackup fails unless the backup "b" is whole and has each ConfigMap once.
func checkBackup(t *testing.T, where string, st *memstore.Store, api *kubetest.Server) {
	t.Helper()
	a, err := archive.Open(t.Context(), repository.NewSource(st), layout.Backup{Name: "b"})
	if err == nil {
		err = a.Verify(t.Context(), func(int64) {})
	}
	if err != nil || !st.Has(layout.Backup{Name: "b"}.Metadata()) {
		t.Errorf("%s: %v; left %q", where, err, st.Keys())
		return
	}
	got := map[string]int{}
	for _, name := range configMaps(t, st, "b") {
		got[name]++
	}
	for _, c := range kubetest.All[corev1.ConfigMap](api, kube.ConfigMaps()) {
		if got[c.Name] != 1 && c.Namespace == "shop" && c.Name != "zz" {
			t.Errorf("%s: %s is %d times in the backup", where, c.Name, got[c.Name])
		}
	}
}
