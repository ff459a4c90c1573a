package restore

import (
	"context"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// onlyReadOnly is a service whose one location is ReadOnly, over a store that refuses to be
// written to with err, nil for one that does not.
func onlyReadOnly(t *testing.T, err error) (*Service, *memstore.Store) {
	t.Helper()
	st := memstore.New()
	st.Set(layout.Backup{Name: "b"}.Manifest(), []byte("{}"))
	locations := repositorytest.Locations(repositorytest.Stores{"default": st})
	locations.Config().BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
	if err != nil {
		st.Fail(memstore.On(memstore.OpPut), err)
	}
	return &Service{Config: locations.Config(), Locations: locations}, st
}

func (r *Service) begin(t *testing.T, backup string) (contract.RestoreRef, error) {
	t.Helper()
	bsl, st, err := r.Locations.Get(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	work, _, _, err := r.workspace(t.Context(), repository.Answer[string]{Location: bsl, Store: st, Value: backup}, contract.OpenArchiveInput{UID: "u"})
	if err != nil {
		return contract.RestoreRef{}, err
	}
	return contract.RestoreRef{Name: "r", UID: "u", Location: work.Name, Binding: contract.Binding{Place: repository.PlaceDigest(work)}}, nil
}

// TestWorkspace: only a denial sends a restore into memory, whose files are nobody else's and gone
// with its end.
func TestWorkspace(t *testing.T) {
	fine, _ := onlyReadOnly(t, nil)
	if ref, err := fine.begin(t, "b"); err != nil || ref.Location != "default" {
		t.Errorf("may be written: %+v %v", ref, err)
	}
	away, _ := onlyReadOnly(t, store.ErrUnavailable)
	if _, err := away.begin(t, "b"); err == nil || failure.TypeOf(err) != "" {
		t.Errorf("does not answer: %v", err)
	}
	denied, _ := onlyReadOnly(t, store.ErrAccessDenied)
	other, _ := onlyReadOnly(t, store.ErrAccessDenied)
	ref, err := denied.begin(t, "b")
	if err != nil || ref.Location != memoryLocation {
		t.Fatalf("%+v %v", ref, err)
	}
	if _, err := other.workIn(t.Context(), ref); !failure.IsWrongWorker(err) {
		t.Errorf("another worker: %v", err)
	}
	if _, err := other.Abandon(t.Context(), contract.AbandonRestoreInput{Ref: ref}, nil); !failure.IsWrongWorker(err) {
		t.Errorf("another worker cleans up: %v", err)
	}
	for _, location := range []string{memoryLocation, ""} { // an attempt that came no further than to open
		st, err := denied.workIn(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if err := repository.NewStaging(st, "u").Put(t.Context(), "plan.json", "p"); err != nil {
			t.Fatal(err)
		}
		ended := ref
		if ended.Location = location; location == "" {
			ended.Binding = contract.Binding{}
		}
		none := func(context.Context, repository.Staging, contract.RestoreRef) error { return nil }
		if _, err := denied.Abandon(t.Context(), contract.AbandonRestoreInput{Ref: ended}, none); err != nil {
			t.Error(err)
		}
		if keys := st.(*memstore.Store).Keys(); len(keys) > 0 {
			t.Errorf("left in memory: %q", keys)
		}
	}
}

// TestWorkspaceOfDrill: a drill writes nothing to a ReadOnly location, also where it might.
func TestWorkspaceOfDrill(t *testing.T) {
	r, st := onlyReadOnly(t, nil)
	bsl, source, err := r.Locations.Get(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	keys := len(st.Keys())
	in := contract.OpenArchiveInput{UID: "u", Restore: contract.RestoreInput{Isolation: &contract.Isolation{Drill: "u"}}}
	work, _, reasons, err := r.workspace(t.Context(), repository.Answer[string]{Location: bsl, Store: source, Value: "b"}, in)
	if err != nil || work.Name != memoryLocation || len(reasons) != 1 || len(st.Keys()) != keys {
		t.Errorf("%+v %v %v, %q", work, reasons, err, st.Keys())
	}
}

// TestWorkspaceOfVelero: a large tarball of Velero's is not cut anew in memory.
func TestWorkspaceOfVelero(t *testing.T) {
	r, st := onlyReadOnly(t, store.ErrAccessDenied)
	st.Set(layout.Backup{Name: "small"}.Tarball(), []byte("x"))
	st.Set(layout.Backup{Name: "large"}.Tarball(), make([]byte, largestInMemory+1))
	if ref, err := r.begin(t, "small"); err != nil || ref.Location != memoryLocation {
		t.Errorf("%+v %v", ref, err)
	}
	if _, err := r.begin(t, "large"); failure.TypeOf(err) != contract.ErrTypeDenied || !strings.Contains(err.Error(), "resultsLocation") {
		t.Errorf("%v", err)
	}
}
