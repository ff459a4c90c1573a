package repository_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// ourBackup is the document of a backup of ours.
func ourBackup(name, uid string) *velerov1.Backup {
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	doc := &velerov1.Backup{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID(uid), Labels: map[string]string{velerov1.ScheduleNameLabel: "daily"},
		Annotations: map[string]string{repository.AnnotationUID: uid},
	}}
	doc.Spec.LabelSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	doc.Status = velerov1.BackupStatus{
		Phase: velerov1.BackupPhasePartiallyFailed, Errors: 1, Warnings: 2, FormatVersion: "1.1.0",
		VolumeSnapshotsCompleted: 2, CSIVolumeSnapshotsCompleted: 3, CompletionTimestamp: &metav1.Time{Time: started.Add(time.Minute)},
		StartTimestamp: &metav1.Time{Time: started}, Expiration: &metav1.Time{Time: started.Add(720 * time.Hour)},
		Progress: &velerov1.BackupProgress{ItemsBackedUp: 42},
	}
	return doc
}

// commit writes the document as a commit does, and the entry if remember says so.
func commit(t *testing.T, st *memstore.Store, doc *velerov1.Backup, remember bool) {
	t.Helper()
	err := repository.CommitBackup(t.Context(), st, doc)
	if err == nil && remember {
		err = repository.RememberBackup(t.Context(), st, doc, 7)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fillLarge commits more backups than a small location has, each with an entry.
func fillLarge(t *testing.T, st *memstore.Store) {
	t.Helper()
	for i := range repository.SmallLocation + 1 {
		commit(t, st, ourBackup(fmt.Sprintf("old-%04d", i), fmt.Sprintf("u-%d", i)), true)
	}
}

// listAll reads all pages.
func listAll(t *testing.T, listing *repository.Listing) (all []repository.BackupEntry) {
	t.Helper()
	for after := ""; ; {
		page, next, err := listing.Page(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		if next <= after || len(page) > repository.BackupsPerPage {
			t.Fatalf("%d backups, and on behind %q after %q", len(page), next, after)
		}
		after = next
	}
}

func uids(all []repository.BackupEntry) map[string]string {
	out := map[string]string{}
	for _, e := range all {
		if !strings.HasPrefix(e.Name, "old-") {
			out[e.Name] = e.UID
		}
	}
	return out
}

func keysBelow(st *memstore.Store, dir string) (below []string) {
	for _, key := range st.Keys() {
		if strings.HasPrefix(key, dir) {
			below = append(below, key)
		}
	}
	return below
}

// What the keys of entries tell is what the documents tell. In a large location few of
// those are read.
func TestListingReadsFewDocuments(t *testing.T) {
	st := memstore.New()
	fillLarge(t, st)
	before := st.Keys()
	known := 0
	for i, e := range listAll(t, &repository.Listing{Store: st}) {
		want := repository.EntryOf(ourBackup(fmt.Sprintf("old-%04d", i), fmt.Sprintf("u-%d", i)), e.Bytes)
		if !reflect.DeepEqual(e, want) {
			t.Fatalf("got  %+v\nwant %+v", e, want)
		}
		if e.Bytes == 7 {
			known++
		}
	}
	if n := st.Count(memstore.On(memstore.OpGet)); n != repository.CheckedPerPage || known != repository.SmallLocation+1-n {
		t.Errorf("%d documents were read, and %d entries shown", n, known)
	}
	if !slices.Equal(st.Keys(), before) {
		t.Errorf("a listing in which all is right changes the bucket")
	}
}

// Whatever lies in the bucket, the listing is what the documents say, and leaves the
// entries as they should be: each backup that can have one has one, and nothing else has.
func TestListingMends(t *testing.T) {
	huge := ourBackup("huge", "uh")
	for i := range 20 {
		huge.Labels[fmt.Sprintf("label-%d", i)] = fmt.Sprintf("%x", sha256.Sum256([]byte{byte(i)}))[:60] // a key that compresses well has room
	}
	velero := func(st *memstore.Store, name, uid, phase string) {
		st.Set(layout.Backup{Name: name}.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":%q,"uid":%q},"status":{"phase":%q}}`, name, uid, phase))
	}
	type shown = map[string]string // UIDs by name
	for name, tc := range map[string]struct {
		change func(*memstore.Store)
		want   shown
		bare   []string // backups that have no entry
		small  bool     // the change is certain to be seen only where all documents are read
	}{
		"nothing":                {change: func(*memstore.Store) {}, want: shown{"b": "u"}},
		"of Velero":              {change: func(st *memstore.Store) { velero(st, "v", "uv", "Completed") }, want: shown{"b": "u", "v": "uv"}},
		"Velero is not done":     {change: func(st *memstore.Store) { velero(st, "v", "uv", "Finalizing") }, want: shown{"b": "u", "v": "uv"}, bare: []string{"v"}},
		"writer died":            {change: func(st *memstore.Store) { commit(t, st, ourBackup("c", "uc"), false) }, want: shown{"b": "u", "c": "uc"}},
		"labels that do not fit": {change: func(st *memstore.Store) { commit(t, st, huge, true) }, want: shown{"b": "u", "huge": "uh"}, bare: []string{"huge"}},
		"Velero deleted it":      {change: func(st *memstore.Store) { st.Remove(layout.Backup{Name: "b"}.Metadata()) }, want: shown{}},
		"Velero deletes it": {change: func(st *memstore.Store) {
			st.Set(layout.Backup{Name: "b"}.Tarball(), nil)
			st.Remove(layout.Backup{Name: "b"}.Metadata())
		}, want: shown{}, small: true},
		"Velero made it again":   {change: func(st *memstore.Store) { velero(st, "b", "uv", "Completed") }, want: shown{"b": "uv"}, small: true},
		"directory, no document": {change: func(st *memstore.Store) { st.Set(layout.Backup{Name: "d"}.Tarball(), nil) }, want: shown{"b": "u"}},
		"document damaged":       {change: func(st *memstore.Store) { st.Set(layout.Backup{Name: "x"}.Metadata(), []byte("{")) }, want: shown{"b": "u", "x": ""}, bare: []string{"x"}},
		"document of another": {change: func(st *memstore.Store) {
			st.Set(layout.Backup{Name: "x"}.Metadata(), []byte(`{"metadata":{"name":"b","uid":"ux"}}`))
		}, want: shown{"b": "u", "x": "ux"}, bare: []string{"x"}},
		"directory nobody opens":  {change: func(st *memstore.Store) { st.Set("backups/../x", nil) }, want: shown{"b": "u"}},
		"key that is no entry":    {change: func(st *memstore.Store) { st.Set(layout.CatalogDir("b")+"!", nil) }, want: shown{"b": "u"}},
		"key without a directory": {change: func(st *memstore.Store) { st.Set(layout.CatalogRoot+"b", nil) }, want: shown{"b": "u"}},
		"entries without end": {change: func(st *memstore.Store) {
			for i := range 20 {
				st.Set(fmt.Sprintf("%s%d", layout.CatalogDir("b"), i), nil)
			}
		}, want: shown{"b": "u"}},
		"made again after a crash": {change: func(st *memstore.Store) {
			st.Remove(layout.Backup{Name: "b"}.Metadata())
			commit(t, st, ourBackup("b", "u2"), false)
		}, want: shown{"b": "u2"}},
		"two entries": {change: func(st *memstore.Store) {
			velero(st, "b", "u3", "Completed")
			if err := repository.RememberBackup(t.Context(), st, ourBackup("b", "u3"), 7); err != nil {
				t.Fatal(err)
			}
		}, want: shown{"b": "u3"}},
		"an entry lies": {change: func(st *memstore.Store) {
			if err := repository.ForgetBackup(t.Context(), st, "b"); err != nil {
				t.Fatal(err)
			}
			liar := ourBackup("b", "u")
			liar.Status.Phase = "Completed"
			if err := repository.RememberBackup(t.Context(), st, liar, 7); err != nil {
				t.Fatal(err)
			}
		}, want: shown{"b": "u"}, small: true},
	} {
		for _, large := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, large=%v", name, large), func(t *testing.T) {
				st := memstore.New()
				if large {
					fillLarge(t, st)
				}
				commit(t, st, ourBackup("b", "u"), true)
				tc.change(st)
				got := uids(listAll(t, &repository.Listing{Store: st}))
				for i := 0; i < 2000 && large && tc.small && !maps.Equal(got, tc.want); i++ {
					got = uids(listAll(t, &repository.Listing{Store: st})) // sooner or later each entry is checked
				}
				if !maps.Equal(got, tc.want) {
					t.Errorf("%v, want %v", got, tc.want)
				}
				for range 3 { // the bounds of a page leave some to the next
					listAll(t, &repository.Listing{Store: st})
				}
				for name := range tc.want {
					entries, want := keysBelow(st, layout.CatalogDir(name)), 1
					if slices.Contains(tc.bare, name) {
						want = 0
					}
					if len(entries) != want {
						t.Errorf("entries of %s: %q", name, entries)
					}
				}
				all := len(tc.want) - len(tc.bare)
				if large {
					all += repository.SmallLocation + 1
				}
				if left := keysBelow(st, layout.CatalogRoot); len(left) != all {
					t.Errorf("%d entries, want %d: %q", len(left), all, left)
				}
			})
		}
	}
}

// A location that may only be read is listed the same, and left as it is; so is one that
// refuses every write.
func TestListingOfReadOnlyLocation(t *testing.T) {
	for name, refused := range map[string]bool{"read only": false, "writes are refused": true} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			commit(t, st, ourBackup("b", "u"), true)
			commit(t, st, ourBackup("c", "uc"), false)
			st.Remove(layout.Backup{Name: "b"}.Metadata())
			before := st.Keys()
			if refused {
				st.Fail(memstore.On(memstore.OpPut, memstore.OpDelete), store.ErrAccessDenied)
			}
			writes := st.Count(memstore.On(memstore.OpPut, memstore.OpDelete))
			got := uids(listAll(t, &repository.Listing{Store: st, ReadOnly: !refused}))
			if !maps.Equal(got, map[string]string{"c": "uc"}) || !slices.Equal(st.Keys(), before) {
				t.Errorf("%v; %v", got, st.Keys())
			}
			if n := st.Count(memstore.On(memstore.OpPut, memstore.OpDelete)) - writes; n > 0 && !refused {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// An entry that is written while the names are listed is no stale one.
func TestListingSparesCommitMeanwhile(t *testing.T) {
	st := memstore.New()
	commit(t, st, ourBackup("a", "ua"), true)
	racing := &committing{Store: st, then: func() { commit(t, st, ourBackup("b", "ub"), true) }}
	if _, _, err := (&repository.Listing{Store: racing}).Page(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if left := keysBelow(st, layout.CatalogDir("b")); len(left) != 1 {
		t.Errorf("entries of b: %q", left)
	}
}

// committing does something between the listing of the names and that of the entries.
type committing struct {
	store.Store
	then func()
}

func (c *committing) DirsAfter(ctx context.Context, prefix, after string, fn func(string) error) error {
	err := c.Store.DirsAfter(ctx, prefix, after, fn)
	c.then()
	return err
}

// A choice that is acted on is made by documents.
func TestListingConfirm(t *testing.T) {
	st := memstore.New()
	for _, name := range []string{"a", "b", "c"} {
		commit(t, st, ourBackup(name, "u"+name), true)
	}
	st.Remove(layout.Backup{Name: "b"}.Metadata())
	liar := repository.BackupEntry{Name: "c", UID: "x", Labels: map[string]string{"app": "web"}}
	got, err := (&repository.Listing{Store: st}).Confirm(t.Context(), []repository.BackupEntry{{Name: "a"}, {Name: "b"}, liar})
	if err != nil || len(got) != 2 || got[0].UID != "ua" || got[1].UID != "uc" || got[1].Labels["app"] != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// The order is that of the keys, in which a slash sorts behind "-" and ".".
func TestListingInPages(t *testing.T) {
	var names []string
	for i := range repository.BackupsPerPage + 1 {
		names = append(names, fmt.Sprintf("b-%04d-x", i), fmt.Sprintf("b-%04d", i))
	}
	st := repositorytest.Holding(names...)
	for range 2 { // by documents, then by entries
		var got []string
		for _, e := range listAll(t, &repository.Listing{Store: st}) {
			got = append(got, e.Name)
		}
		if !slices.Equal(got, names) {
			t.Errorf("%d backups of %d", len(got), len(names))
		}
	}
	if entries := keysBelow(st, layout.CatalogRoot); len(entries) != len(names) {
		t.Errorf("%d entries", len(entries))
	}
}

// An entry with many labels is cut into names that a file system behind a store takes.
func TestCatalogEntryKeyFits(t *testing.T) {
	st := memstore.New()
	doc := ourBackup("b", "u")
	doc.Labels["team"] = strings.Repeat("t", 200)
	commit(t, st, doc, true)
	for _, key := range st.Keys() {
		for _, segment := range strings.Split(key, "/") {
			if len(segment) > 255 {
				t.Errorf("%d characters: %s", len(segment), segment)
			}
		}
	}
	listAll(t, &repository.Listing{Store: st})
	if keys := keysBelow(st, layout.CatalogDir("b")); len(keys) != 1 || st.Count(memstore.On(memstore.OpPut)) != 2 {
		t.Errorf("the entry was not read: %q", keys)
	}
}
