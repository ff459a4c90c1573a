package activities_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/activities"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// The first step after a disaster makes the one location ReadOnly: a restore into the rebuilt
// cluster of the same name works all the same, and has its results there. Nothing can be
// backed up there or deleted.
func TestRestoreFromTheOnlyReadOnlyLocation(t *testing.T) {
	all := buckets{}
	before := newSite(t, newCluster(t, "before"), all, "p", "")
	if err := newQueue(1, before).backup(t, "nightly"); err != nil {
		t.Fatal(err)
	}
	rebuilt := newSite(t, newCluster(t, "rebuilt"), all, "p", "")
	rebuilt.cfg.BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
	locations := repository.NewLocations(rebuilt.cfg, func(_ context.Context, bsl velerov1.BackupStorageLocation) (store.Store, error) {
		if bsl.Spec.AccessMode == velerov1.BackupStorageLocationAccessModeReadOnly {
			return memstore.New(memstore.WithReadOnly(), memstore.WithObjects(objectsOf(all["p"]))), nil
		}
		return all["p"], nil
	})
	(&activities.Restore{Service: &restore.Service{Config: rebuilt.cfg, Kube: rebuilt.api.Client(), Locations: locations, Rules: resource.NewRegistry()}}).Register(rebuilt)
	queue := newQueue(1, rebuilt)
	if err := queue.restore(t, "r", "nightly", "copy"); err != nil {
		t.Fatal(err)
	}
	checkAllOf(t, "copy", "before", restored(rebuilt.api, "copy"))
	if !all["p"].Has(layout.Restore{Name: "r"}.Results()) {
		t.Error("the restore has no results")
	}
	checkClean(t, all)
	for what, err := range map[string]error{"backup": queue.backup(t, "second"), "deletion": queue.delete(t, "nightly")} {
		if errorType(err) != contract.ErrTypeLocation {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Where the credentials may not write either, a restore keeps its files in the memory of the
// worker that began it, whichever worker is asked first, and its results are told only.
func TestRestoreWhereNothingMayBeWritten(t *testing.T) {
	all := buckets{}
	before := newSite(t, newCluster(t, "before"), all, "p", "")
	if err := newQueue(1, before).backup(t, "nightly"); err != nil {
		t.Fatal(err)
	}
	api := newCluster(t, "rebuilt")
	denied := memstore.New(memstore.WithObjects(objectsOf(all["p"])), memstore.WithFault(memstore.On(memstore.OpPut, memstore.OpCompose, memstore.OpCopy, memstore.OpDelete), store.ErrAccessDenied))
	var workers []*site
	for range 3 {
		w := newSite(t, api, all, "p", "")
		w.cfg.BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
		locations := repository.NewLocations(w.cfg, func(context.Context, velerov1.BackupStorageLocation) (store.Store, error) { return denied, nil })
		(&activities.Restore{Service: &restore.Service{Config: w.cfg, Kube: api.Client(), Locations: locations, Rules: resource.NewRegistry()}}).Register(w)
		workers = append(workers, w)
	}
	var res contract.RestoreResult
	queue := newQueue(7, workers...)
	queue.result = &res
	if err := queue.restore(t, "r", "nightly", "copy"); err != nil {
		t.Fatal(err)
	}
	checkAllOf(t, "copy", "before", restored(api, "copy"))
	if !res.NotStored || res.Location != "" || res.Counts.Created == 0 || !strings.Contains(strings.Join(res.Reasons, ""), "RESULTS_NOT_STORED") {
		t.Errorf("%+v", res)
	}
	if !slices.Equal(denied.Keys(), all["p"].Keys()) {
		t.Error("something was written")
	}
}

func objectsOf(st *memstore.Store) map[string][]byte {
	out := map[string][]byte{}
	for _, key := range st.Keys() {
		out[key], _ = st.Object(key)
	}
	return out
}
