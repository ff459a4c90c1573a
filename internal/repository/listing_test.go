package repository_test

import (
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

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// ourBackup is the document of a backup of ours.
func ourBackup(name, uid string) *velerov1.Backup {
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	doc := &velerov1.Backup{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID(uid), Labels: map[string]string{velerov1.ScheduleNameLabel: "daily"},
		Annotations: map[string]string{repository.AnnotationUID: uid},
	}}
	doc.Status = velerov1.BackupStatus{
		Phase: velerov1.BackupPhasePartiallyFailed, Errors: 1, Warnings: 2,
		StartTimestamp: &metav1.Time{Time: started}, Expiration: &metav1.Time{Time: started.Add(720 * time.Hour)},
		Progress: &velerov1.BackupProgress{ItemsBackedUp: 42},
	}
	return doc
}

// commit writes the document as a commit does, and the entry if remember says so.
func commit(t *testing.T, st *memstore.Store, doc *velerov1.Backup, remember bool) {
	t.Helper()
	err := repository.ForgetBackup(t.Context(), st, doc.Name)
	if err == nil {
		err = repository.PutDocument(t.Context(), st, archive.Layout{Backup: doc.Name}.Metadata(), doc)
	}
	if err == nil && remember {
		err = repository.RememberBackup(t.Context(), st, doc, 7)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// listAll reads all pages.
func listAll(t *testing.T, st *memstore.Store) (all []repository.BackupEntry) {
	t.Helper()
	listing, err := repository.OpenListing(t.Context(), st)
	for after := ""; err == nil; {
		var page []repository.BackupEntry
		if page, after, err = listing.Page(t.Context(), after); after == "" {
			return append(all, page...)
		}
		all = append(all, page...)
	}
	t.Fatal(err)
	return nil
}

func uids(all []repository.BackupEntry) map[string]string {
	out := map[string]string{}
	for _, e := range all {
		out[e.Name] = e.UID
	}
	return out
}

// What the key of an entry tells is what the document tells, and the document is not read.
func TestListingReadsNoDocument(t *testing.T) {
	st := memstore.New()
	doc := ourBackup("b", "u")
	commit(t, st, doc, true)
	if got, want := listAll(t, st), repository.EntryOf(doc, 7); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if n := st.Count(memstore.On(memstore.OpGet)); n != 0 {
		t.Errorf("%d documents were read", n)
	}
}

// A backup without an entry is listed by its document, and an entry without a backup is
// not listed.
func TestListingFallsBackToDocuments(t *testing.T) {
	huge := ourBackup("huge", "uh")
	for i := range 20 {
		huge.Labels[fmt.Sprintf("label-%d", i)] = strings.Repeat("x", 60)
	}
	for name, tc := range map[string]struct {
		change func(*memstore.Store)
		want   map[string]string
	}{
		"of Velero": {func(st *memstore.Store) {
			st.Set(archive.Layout{Backup: "v"}.Metadata(), []byte(`{"metadata":{"name":"v","uid":"uv"}}`))
		}, map[string]string{"b": "u", "v": "uv"}},
		"writer died":             {func(st *memstore.Store) { commit(t, st, ourBackup("c", "uc"), false) }, map[string]string{"b": "u", "c": "uc"}},
		"labels that do not fit":  {func(st *memstore.Store) { commit(t, st, huge, true) }, map[string]string{"b": "u", "huge": "uh"}},
		"deleted":                 {func(st *memstore.Store) { st.Remove(archive.Layout{Backup: "b"}.Metadata()) }, map[string]string{}},
		"directory, no document":  {func(st *memstore.Store) { st.Set(archive.Layout{Backup: "d"}.Tarball(), nil) }, map[string]string{"b": "u"}},
		"document damaged":        {func(st *memstore.Store) { st.Set(archive.Layout{Backup: "x"}.Metadata(), []byte("{")) }, map[string]string{"b": "u", "x": ""}},
		"key that is no entry":    {func(st *memstore.Store) { st.Set(archive.CatalogDir("b")+"!", nil) }, map[string]string{"b": "u"}},
		"key without a directory": {func(st *memstore.Store) { st.Set(archive.CatalogRoot+"b", nil) }, map[string]string{"b": "u"}},
		"made again after a crash": {func(st *memstore.Store) {
			layout := archive.Layout{Backup: "b"}
			st.Remove(layout.Metadata())
			commit(t, st, ourBackup("b", "u2"), false)
		}, map[string]string{"b": "u2"}},
		"two entries": {func(st *memstore.Store) {
			st.Set(archive.Layout{Backup: "b"}.Metadata(), []byte(`{"metadata":{"name":"b","uid":"u3"}}`))
			if err := repository.RememberBackup(t.Context(), st, ourBackup("b", "u3"), 7); err != nil {
				t.Fatal(err)
			}
		}, map[string]string{"b": "u3"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			commit(t, st, ourBackup("b", "u"), true)
			tc.change(st)
			if got := uids(listAll(t, st)); !maps.Equal(got, tc.want) {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestListingInPages(t *testing.T) {
	var names []string
	for i := range 2*repository.BackupsPerPage + 1 {
		names = append(names, fmt.Sprintf("b-%04d", i), fmt.Sprintf("b-%04d.x", i))
	}
	st := repositorytest.Holding(names...)
	var got []string
	for _, e := range listAll(t, st) {
		got = append(got, e.Name)
	}
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("%d backups of %d", len(got), len(names))
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
	if got := listAll(t, st); len(got) != 1 || got[0].Labels["team"] != doc.Labels["team"] || st.Count(memstore.On(memstore.OpGet)) != 0 {
		t.Errorf("%+v", got)
	}
}
