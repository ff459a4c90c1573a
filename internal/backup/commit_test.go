package backup

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// A commit leaves the document and one catalog entry, that of this backup and not of one
// of the name before. A store that refuses the entry does not keep it from the commit.
func TestCommitLeavesEntry(t *testing.T) {
	ref := contract.BackupRef{Name: "b", UID: "uid", Location: "default"}
	document, entries := archive.Layout{Backup: ref.Name}.Metadata(), archive.CatalogDir(ref.Name)
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
