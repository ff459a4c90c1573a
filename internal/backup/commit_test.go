package backup

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// A commit leaves the document and one catalog entry, that of this backup and not of one
// of the name before. A store that refuses the entry does not keep it from the commit.
func TestCommitLeavesEntry(t *testing.T) {
	ref := contract.BackupRef{Name: "b", UID: "uid", Location: "default"}
	document, entries := layout.Backup{Name: ref.Name}.Metadata(), layout.CatalogDir(ref.Name)
	for name, refused := range map[string]bool{"written": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			if err := repository.AcquireName(t.Context(), st, ref.Name, repository.NameLock{UID: ref.UID}); err != nil {
				t.Fatal(err)
			}
			plan := Plan{UID: ref.UID, Backup: contract.BackupInput{Name: ref.Name}, Started: time.Unix(1767323045, 0), Expires: time.Unix(1769915045, 0)}
			if err := repository.NewStaging(st, ref.UID).Put(t.Context(), repository.PlanFile, plan); err != nil {
				t.Fatal(err)
			}
			st.Set(entries+"e30", nil) // of a backup that Velero has deleted
			if refused {
				st.Fail(memstore.On(memstore.OpPut).Key(entries), store.ErrAccessDenied)
			}
			s := &Service{Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
			in := contract.CommitBackupInput{Ref: ref, Completed: time.Unix(1767323099, 0)}
			in.Seal.Bytes = 7
			for range 2 { // it may repeat
				if _, err := s.Commit(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			}
			left := slices.DeleteFunc(st.Keys(), func(key string) bool { return key == document })
			if refused && len(left) == 0 {
				return
			}
			if len(left) != 1 || !strings.HasPrefix(left[0], entries) || left[0] == entries+"e30" || refused || !st.Has(document) {
				t.Fatalf("left %q", st.Keys())
			}
		})
	}
}

// deniedSnapshotter is a driver whose objects may not be deleted.
type deniedSnapshotter struct{ volume.Snapshotter }

func (deniedSnapshotter) Release(context.Context, []volume.Snapshot) error {
	return apierrors.NewForbidden(schema.GroupResource{Group: "snapshot.storage.k8s.io", Resource: "volumesnapshots"}, "s", errors.New("no delete"))
}

func (deniedSnapshotter) IsPermanent(error) bool { return true }

// What is refused for good after the commit is a reason in the result, for the backup exists.
// What may pass is tried again.
func TestRefusalAfterCommit(t *testing.T) {
	ref := contract.BackupRef{Name: "b", UID: "uid", Location: "default"}
	for name, tc := range map[string]struct {
		refuse  func(*memstore.Store)
		driver  bool
		reasons int
		passes  bool
	}{
		"VolumeSnapshots": {func(*memstore.Store) {}, true, 1, false},
		"name lock": {func(st *memstore.Store) {
			st.Fail(memstore.On(memstore.OpDelete).Key("claims/"), store.ErrAccessDenied)
		}, false, 1, false},
		"everything": {func(st *memstore.Store) { st.Fail(memstore.On(memstore.OpDelete), store.ErrAccessDenied) }, true, 3, false},
		"outage":     {func(st *memstore.Store) { st.Fail(memstore.On(memstore.OpDelete), store.ErrUnavailable) }, false, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			st, p := memstore.New(), planOfVolumes("c")
			p.UID, p.Backup.Name, p.Volumes.Units = ref.UID, ref.Name, []Unit{{Groups: [][]int{{0}}}}
			p.Started, p.Expires = time.Unix(1767323045, 0), time.Unix(1769915045, 0)
			if err := errors.Join(repository.AcquireName(t.Context(), st, ref.Name, repository.NameLock{UID: ref.UID}),
				repository.NewStaging(st, ref.UID).Put(t.Context(), repository.PlanFile, p)); err != nil {
				t.Fatal(err)
			}
			tc.refuse(st)
			s := &Service{Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
			if tc.driver {
				s.Technologies = volume.Technologies{{Method: volume.MethodCSI, HasObjects: true, Snapshotter: func(context.Context, *volume.Backup) (volume.Snapshotter, error) {
					return deniedSnapshotter{}, nil
				}}}
			}
			res, err := s.Commit(t.Context(), contract.CommitBackupInput{Ref: ref, Completed: time.Unix(1767323099, 0)})
			if tc.passes != (err != nil) || tc.passes && failure.TypeOf(err) != "" {
				t.Fatalf("%s: %v", failure.TypeOf(err), err)
			}
			if !st.Has(layout.Backup{Name: ref.Name}.Metadata()) || len(res.Reasons) != tc.reasons || res.Warnings != tc.reasons {
				t.Errorf("%+v", res)
			}
		})
	}
}
