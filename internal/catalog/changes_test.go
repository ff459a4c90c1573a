package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

func stored(resource, ns, name, body string) repositorytest.Object {
	return repositorytest.Object{Key: archive.Key{Resource: resource, Version: "v1", Namespace: ns, Name: name}, Body: body}
}

// shopOn are the objects of a day: the password is rotated on the third and back on the fifth,
// the rest moves its revision and status only.
func shopOn(day int) []repositorytest.Object {
	password := "a"
	if day == 3 || day == 4 {
		password = "b"
	}
	all := []repositorytest.Object{
		stored("secrets", "shop", "db", fmt.Sprintf(`{"metadata":{"resourceVersion":"%d"},"data":{"password":%q}}`, day, password)),
		stored("deployments.apps", "shop", "web", fmt.Sprintf(`{"metadata":{"generation":%d},"spec":{},"status":{"n":%d}}`, day, day)),
		stored("clusterroles.rbac.authorization.k8s.io", "", "admin", `{"rules":[]}`),
		stored("volumesnapshots.snapshot.storage.k8s.io", "shop", fmt.Sprint("velero-data-", day), `{}`),
	}
	if day >= 2 {
		all = append(all, stored("configmaps", "shop", "new", `{"data":{}}`))
	} else {
		all = append(all, stored("configmaps", "old", "gone", `{"data":{}}`))
	}
	return all
}

func commit(t testing.TB, st *memstore.Store, name, cluster string, day int) {
	t.Helper()
	err := repositorytest.Commit(t.Context(), st, repositorytest.Backup{
		Name: name, UID: "uid-" + name, Cluster: cluster, Started: time.Date(2026, 1, day, 2, 0, 0, 0, time.UTC), Objects: shopOn(day),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func changesReader(stores repositorytest.Stores) *Reader {
	return &Reader{Config: &config.Config{Cluster: "prod"}, Locations: repositorytest.Locations(stores)}
}

func TestBackupDiff(t *testing.T) {
	st := memstore.New()
	for day := 1; day <= 3; day++ {
		commit(t, st, fmt.Sprint("day-", day), "", day)
	}
	c := changesReader(repositorytest.Stores{"default": st})
	res, err := c.diffBackups(t.Context(), contract.ReadInput{Name: "day-1", To: "day-3"})
	if err != nil {
		t.Fatal(err)
	}
	d := res.Diff
	if d.Added != 1 || d.Removed != 1 || d.Changed != 1 || d.Same != 2 || len(d.Notes) > 0 || d.From.Backup != "day-1" || d.To.Objects != 5 {
		t.Errorf("%+v", d)
	}
	want := []contract.ObjectChange{
		{Change: "removed", Resource: "configmaps", Namespace: "old", Name: "gone"},
		{Change: "added", Resource: "configmaps", Namespace: "shop", Name: "new"},
		{Change: "changed", Resource: "secrets", Namespace: "shop", Name: "db"},
	}
	if !reflect.DeepEqual(d.Objects, want) {
		t.Errorf("objects %+v", d.Objects)
	}
	places := []contract.DiffPlace{{Resource: "configmaps", Namespace: "old", Removed: 1}, {Resource: "configmaps", Namespace: "shop", Added: 1}, {Resource: "secrets", Namespace: "shop", Changed: 1}}
	if !reflect.DeepEqual(d.Places, places) {
		t.Errorf("places %+v", d.Places)
	}
	if n := st.Count(memstore.On(memstore.OpGet).Key(".tar.gz")); n != 0 {
		t.Errorf("%d reads of tarballs", n)
	}
	if res, err = c.diffBackups(t.Context(), contract.ReadInput{Name: "day-3", To: "day-1", Limit: 1}); err != nil || len(res.Diff.Objects) != 1 || res.Diff.MoreObjects != 2 || len(res.Diff.Notes) != 1 {
		t.Errorf("limited and backwards: %+v, %v", res.Diff, err)
	}
}

func TestBackupDiffRefuses(t *testing.T) {
	st := repositorytest.Holding("velero")
	commit(t, st, "ours", "", 1)
	c := changesReader(repositorytest.Stores{"default": st})
	for to, want := range map[string]string{"velero": contract.ErrTypeLocation, "none": contract.ErrTypeNotFound, "..": contract.ErrTypeInvalid} {
		if _, err := c.diffBackups(t.Context(), contract.ReadInput{Name: "ours", To: to}); failure.TypeOf(err) != want {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestObjectHistory(t *testing.T) {
	st, other := repositorytest.Holding("velero"), memstore.New()
	for day := 1; day <= 6; day++ {
		at := st
		if day == 4 {
			at = other
		}
		commit(t, at, fmt.Sprint("day-", day), "", day)
	}
	commit(t, st, "foreign", "stage", 3)
	c := changesReader(repositorytest.Stores{"default": st, "other": other})
	for object, want := range map[string]string{
		"secrets/shop/db":           "day-1=1 day-2=1 day-3=2 day-4=2 day-5=1 day-6=1",
		"Secret/shop/db":            "day-1=1 day-2=1 day-3=2 day-4=2 day-5=1 day-6=1",
		"deploy/shop/web":           "day-1=1 day-2=1 day-3=1 day-4=1 day-5=1 day-6=1",
		"deployments/shop/web":      "day-1=1 day-2=1 day-3=1 day-4=1 day-5=1 day-6=1",
		"deployments.apps/shop/web": "day-1=1 day-2=1 day-3=1 day-4=1 day-5=1 day-6=1",
		"clusterroles/admin":        "day-1=1 day-2=1 day-3=1 day-4=1 day-5=1 day-6=1",
		"configmaps/shop/new":       "day-1=0 day-2=1 day-3=1 day-4=1 day-5=1 day-6=1",
		"secrets/shop/none":         "day-1=0 day-2=0 day-3=0 day-4=0 day-5=0 day-6=0",
		"nothings/shop/none":        "day-1=0 day-2=0 day-3=0 day-4=0 day-5=0 day-6=0",
	} {
		res, err := c.objectHistory(t.Context(), contract.ReadInput{Object: object})
		if err != nil {
			t.Fatal(object, err)
		}
		var got []string
		for _, b := range res.History.Backups {
			got = append(got, fmt.Sprintf("%s=%d", b.Backup, b.Version))
		}
		if strings.Join(got, " ") != want || res.History.Foreign != 1 || res.History.Unindexed != 1 {
			t.Errorf("%s: %s; %+v", object, got, res.History)
		}
		if data, _ := json.Marshal(res); bytes.Contains(data, []byte("sha")) || strings.Contains(object, "Secret") && res.History.Resource != "secrets" {
			t.Errorf("%s: %s", object, data)
		}
	}
	res, err := c.objectHistory(t.Context(), contract.ReadInput{Object: "secrets/shop/db", Limit: 2})
	if err != nil || len(res.History.Backups) != 2 || res.History.Older != 6 || res.History.Backups[1].Backup != "day-6" {
		t.Errorf("limited: %+v, %v", res.History, err)
	}
	for _, bad := range []string{"", "secrets", "a/b/c/d", "secrets//x"} {
		if _, err := c.objectHistory(t.Context(), contract.ReadInput{Object: bad}); failure.TypeOf(err) != contract.ErrTypeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestHistoryOfCorruptBackups: the history says which backups a verification has found corrupt,
// and one that is damaged, in whatever place, keeps nobody from seeing the others.
func TestHistoryOfCorruptBackups(t *testing.T) {
	st := memstore.New()
	for day := 1; day <= 4; day++ {
		commit(t, st, fmt.Sprint("day-", day), "", day)
	}
	bad := beside.Verification{Name: "day-2", UID: "uid-day-2", At: time.Now().Add(-time.Hour)}
	bad.AddDamage("x", "digest differs")
	if err := bad.Write(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	key := layout.Backup{Name: "day-3"}.Index()
	index, _ := st.Object(key)
	index[0] ^= 1 // in an index block
	st.Set(key, index)
	res, err := changesReader(repositorytest.Stores{"default": st}).objectHistory(t.Context(), contract.ReadInput{Object: "secrets/shop/db"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range res.History.Backups {
		got = append(got, fmt.Sprint(b.Backup, " ", b.Corrupt))
	}
	if want := "day-1 false, day-2 true, day-4 false"; strings.Join(got, ", ") != want || res.History.Unindexed != 1 {
		t.Errorf("%q; %+v", got, res.History)
	}
}

// TestAnswersFit: whatever labels the documents in a bucket have, each page of a list is an
// answer that Temporal takes, and all rows come.
func TestAnswersFit(t *testing.T) {
	const backups = 120
	for name, bytesOfLabel := range map[string]int{"long": 20 << 10, "absurd": 200 << 10} {
		st := memstore.New()
		for i := range backups {
			n := fmt.Sprintf("b-%03d", i)
			st.Set(layout.Backup{Name: n}.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":%q,"labels":{"l":%q}},"status":{"phase":"Completed"}}`, n, strings.Repeat("x", bytesOfLabel)))
			st.Set("restores/"+n+"/"+n+"-lifeboat-restore.json", fmt.Appendf(nil, `{"metadata":{"name":%q,"labels":{"l":%q}}}`, n, strings.Repeat("x", bytesOfLabel)))
		}
		c := changesReader(repositorytest.Stores{"default": st})
		seen, pages := map[string]bool{}, 0
		for _, verb := range []string{contract.ReadBackups, contract.ReadRestores} {
			for in, first := (contract.ReadInput{Verb: verb}), true; in.Continue != "" || first; first = false {
				res, err := c.Read(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				if size := sizeOf(res); size > 2*bytesInAnswer-bytesInRow {
					t.Errorf("%s, %s: an answer of %d bytes", name, verb, size)
				}
				for _, b := range res.Backups {
					seen[verb+b.Name] = true
					if b.Cut != (name == "absurd") {
						t.Errorf("%s: %s cut is %v", name, b.Name, b.Cut)
					}
				}
				for _, r := range res.Restores {
					seen[verb+r.Name] = true
				}
				in.Continue, pages = res.Continue, pages+1
			}
		}
		if len(seen) != 2*backups || name == "long" && pages < 4 {
			t.Errorf("%s: %d rows on %d pages", name, len(seen), pages)
		}
	}
}
