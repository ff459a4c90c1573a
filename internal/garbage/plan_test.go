package garbage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/garbage"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

func day(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }

// put stores a backup that was made on a day of March, is kept for a day, and is of that
// cluster; "" is Velero's.
func put(t *testing.T, st *memstore.Store, name, schedule, cluster string, made int) {
	t.Helper()
	files := layout.Backup{Name: name}
	annotations := "{}"
	if cluster != "" {
		annotations = `{"lifeboat-backup.github.io/uid":"u"}`
		m, err := archive.EncodeManifest(archive.Manifest{
			Backup: name, UID: "uid-" + name, Cluster: cluster, Directory: archive.Range{Size: 1, SHA256: archive.Digest([]byte("x"))},
			Files: []archive.File{archive.NewFile(files.Index(), []byte("x")), archive.NewFile(files.Tarball(), []byte("tar"))},
		})
		if err != nil {
			t.Fatal(err)
		}
		st.Set(files.Manifest(), m)
	}
	st.Set(files.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":%q,"uid":"uid-%s","annotations":%s,"labels":{"velero.io/schedule-name":%q}},
		"status":{"phase":"Completed","startTimestamp":%q,"completionTimestamp":%q,"expiration":%q}}`,
		name, name, annotations, schedule, day(made).Format(time.RFC3339), day(made).Format(time.RFC3339), day(made+1).Format(time.RFC3339)))
}

func plan(t *testing.T, policy retention.Policy, now time.Time, of repositorytest.Stores) contract.GarbagePlan {
	t.Helper()
	p := garbage.Runner{Cluster: "prod", Policy: policy, Locations: repositorytest.Locations(of)}
	got, err := p.Plan(t.Context(), contract.PlanGarbageInput{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// textOf is a plan as text: what goes, then what stays and why.
func textOf(p contract.GarbagePlan) string {
	var lines []string
	for _, r := range p.Delete {
		lines = append(lines, r.Location+"/"+r.Name)
	}
	for _, r := range p.Keep {
		lines = append(lines, r.Location+"/"+r.Name+" stays: "+r.Reason)
	}
	for _, u := range p.Unread {
		lines = append(lines, u.Name+" unread")
	}
	return strings.Join(lines, "\n")
}

func TestPlan(t *testing.T) {
	floor := retention.Policy{Floor: 1}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, st *memstore.Store)
		policy  retention.Policy
		want    string
	}{
		"the floor of a schedule": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "nightly", "prod", 1)
			put(t, st, "b", "nightly", "prod", 2)
			put(t, st, "c", "", "prod", 3)
		}, floor, "default/a\ndefault/c\ndefault/b stays: among the last 1 good backups of schedule nightly"},
		"the last good one while all later ones are corrupt": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "nightly", "prod", 1)
			put(t, st, "b", "nightly", "prod", 2)
			v := beside.Verification{Name: "b", UID: "uid-b", At: day(3)}
			v.AddDamage("file", "gone")
			if err := v.Write(t.Context(), st); err != nil {
				t.Fatal(err)
			}
		}, floor, "default/b\ndefault/a stays: among the last 1 good backups of schedule nightly"},
		"another cluster's": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "", "dev", 1)
		}, floor, "default/a stays: made by cluster dev"},
		"another cluster's protects nothing of ours": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "nightly", "prod", 1)
			put(t, st, "b", "nightly", "prod", 2)
			put(t, st, "z", "nightly", "dev", 3)
		}, floor, "default/a\ndefault/b stays: among the last 1 good backups of schedule nightly\ndefault/z stays: made by cluster dev"},
		"Velero's, which its own server may delete, protects nothing of ours": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "nightly", "prod", 1)
			put(t, st, "b", "nightly", "prod", 2)
			put(t, st, "z", "nightly", "", 3)
		}, floor, "default/a\ndefault/b stays: among the last 1 good backups of schedule nightly\ndefault/z stays: made by Velero, whose own server deletes it"},
		"Velero's, asked for": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "", "", 1)
		}, retention.Policy{Velero: true}, "default/a"},
		"a damaged manifest": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "", "prod", 1)
			st.Set(layout.Backup{Name: "a"}.Manifest(), []byte("{"))
		}, floor, "default/a stays: its manifest cannot be read"},
		"held": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "", "prod", 1)
			st.Set(layout.RetentionKey("a"), []byte(`{"name":"a","uid":"uid-a","hold":"audit"}`))
		}, floor, "default/a stays: held: audit"},
		"an earlier one of the name was held": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "", "prod", 1)
			st.Set(layout.RetentionKey("a"), []byte(`{"name":"a","uid":"other","hold":"audit"}`))
		}, floor, "default/a"},
		"given more time": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "", "prod", 1)
			st.Set(layout.RetentionKey("a"), []byte(`{"name":"a","uid":"uid-a","expires":"2027-01-01T00:00:00Z"}`))
		}, floor, ""},
		"a deletion that did not end": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "", "prod", 18)
			st.Set(layout.Tombstone("a"), []byte(`{"name":"a","uid":"uid-a"}`))
			st.Set(layout.Tombstone("b"), []byte(`{"name":"b","uid":"uid-b"}`))
		}, floor, "default/a\ndefault/b"},
		"another cluster's deletion that did not end": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "", "dev", 18)
			st.Delete(t.Context(), layout.Backup{Name: "a"}.Metadata())
			st.Set(layout.Tombstone("a"), []byte(`{"name":"a","uid":"uid-a"}`))
		}, floor, ""},
		"a deletion of what has a damaged manifest": {func(t *testing.T, st *memstore.Store) {
			st.Set(layout.Backup{Name: "a"}.Manifest(), []byte("{"))
			st.Set(layout.Tombstone("a"), []byte(`{"name":"a","uid":"uid-a"}`))
		}, floor, "default/a"},
		"could not be deleted an hour ago": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "", "prod", 1)
			st.Set(layout.DeletionTryKey("a"), []byte(`{"name":"a","uid":"uid-a","tries":3,"last":"2026-03-19T23:00:00Z","error":"locked"}`))
		}, floor, "default/a stays: could not be deleted, is tried again at 2026-03-20T03:00:00Z: locked"},
		"could not be deleted a day ago": {func(t *testing.T, st *memstore.Store) {
			put(t, st, "a", "", "prod", 1)
			st.Set(layout.DeletionTryKey("a"), []byte(`{"name":"a","uid":"uid-a","tries":30,"last":"2026-03-19T00:00:00Z","error":"locked"}`))
		}, floor, "default/a"},
	} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			c.prepare(t, st)
			all := plan(t, c.policy, day(20), repositorytest.Stores{"default": st})
			for _, row := range all.Keep {
				if !slices.Contains(garbage.Causes(), row.Cause) {
					t.Errorf("%s stays for the cause %q", row.Name, row.Cause)
				}
			}
			got := textOf(all)
			if got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want) || strings.Contains(got[len(c.want):], "\n")) {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestPlanOfAGoneCluster: asked for another cluster, a plan is of that cluster's backups and of no
// others; a name that the bucket knows nothing of is mistyped.
func TestPlanOfAGoneCluster(t *testing.T) {
	st := memstore.New()
	put(t, st, "gone-1", "nightly", "gone", 1)
	put(t, st, "gone-2", "nightly", "gone", 2)
	put(t, st, "ours", "", "prod", 3)
	put(t, st, "ours-held", "", "prod", 3)
	st.Set(layout.RetentionKey("ours-held"), []byte(`{"name":"ours-held","uid":"uid-ours-held","hold":"audit"}`))
	put(t, st, "velero", "", "", 3)
	put(t, st, "other", "", "dev", 3)
	st.Set(layout.ClusterName("empty"), []byte(`{"cluster":"empty","uid":"e"}`))
	r := garbage.Runner{Cluster: "prod", Policy: retention.Policy{Floor: 1, Velero: true}, Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
	for cluster, want := range map[string]string{
		"gone":  "default/gone-1\ndefault/gone-2 stays: among the last 1 good backups of schedule nightly",
		"dev":   "default/other",
		"empty": "",
	} {
		got, err := r.Plan(t.Context(), contract.PlanGarbageInput{Now: day(20), Cluster: cluster})
		if err != nil || textOf(got) != want {
			t.Errorf("%s: got\n%s, %v\nwant\n%s", cluster, textOf(got), err, want)
		}
	}
	_, err := r.Plan(t.Context(), contract.PlanGarbageInput{Now: day(20), Cluster: "gnoe"})
	if failure.TypeOf(err) != contract.ErrTypeNotFound || !strings.Contains(err.Error(), `anything of a cluster "gnoe"`) {
		t.Error(err)
	}
}

// A location that cannot be read hides no other.
func TestPlanBesideAnUnreadableLocation(t *testing.T) {
	st := memstore.New()
	put(t, st, "a", "", "prod", 1)
	if got := textOf(plan(t, retention.Policy{}, day(20), repositorytest.Stores{"default": nil, "west": st})); got != "west/a\ndefault unread" {
		t.Error(got)
	}
}

// A hold that cannot be read may have been one: nothing of the location is deleted.
func TestPlanWithADamagedHold(t *testing.T) {
	st := memstore.New()
	put(t, st, "a", "", "prod", 1)
	st.Set(layout.RetentionKey("b"), []byte("{"))
	p := garbage.Runner{Cluster: "prod", Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
	if got, err := p.Plan(t.Context(), contract.PlanGarbageInput{Now: day(20)}); err == nil || len(got.Delete) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Failures are counted, once a time, and forgotten when the backup is gone.
func TestRecord(t *testing.T) {
	st := memstore.New()
	put(t, st, "a", "", "prod", 1)
	p := garbage.Runner{Cluster: "prod", Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
	for _, at := range []time.Time{day(20), day(20), day(21)} {
		if err := p.Record(t.Context(), contract.GarbageTry{Name: "a", Location: "default", UID: "uid-a", At: at, Error: "locked"}); err != nil {
			t.Fatal(err)
		}
	}
	tries, err := beside.ReadDeletionTries(t.Context(), st)
	if err != nil || tries["a"].Tries != 2 || !tries["a"].First.Equal(day(20)) || !tries["a"].Last.Equal(day(21)) {
		t.Errorf("%+v, %v", tries["a"], err)
	}
	if err := beside.ForgetDeletion(t.Context(), st, "a"); err != nil || st.Has(layout.DeletionTryKey("a")) {
		t.Errorf("the record is still there: %v", err)
	}
}

// TestPlanOfAReadOnlyLocation: expired backups of a location that is ReadOnly are left alone, and shown with
// that reason; nothing is written there.
func TestPlanOfAReadOnlyLocation(t *testing.T) {
	st := memstore.New()
	put(t, st, "a", "", "prod", 1)
	locations := repositorytest.Locations(repositorytest.Stores{"default": memstore.New(), "west": st})
	for i := range locations.Config().BackupStorageLocations {
		if bsl := &locations.Config().BackupStorageLocations[i]; bsl.Name == "west" {
			bsl.Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
		}
	}
	before := st.Count(memstore.On(memstore.OpPut, memstore.OpDelete))
	p := garbage.Runner{Cluster: "prod", Policy: retention.Policy{}, Locations: locations}
	got, err := p.Plan(t.Context(), contract.PlanGarbageInput{Now: day(20)})
	if err != nil || textOf(got) != "west/a stays: the storage location is ReadOnly" || got.Keep[0].Cause != garbage.CauseReadOnly {
		t.Errorf("%s, %v", textOf(got), err)
	}
	if n := st.Count(memstore.On(memstore.OpPut, memstore.OpDelete)); n != before {
		t.Errorf("%d writes", n-before)
	}
}

// TestPlanTellsOfTries: the row of what could not be deleted says when that was tried first and last, and why
// it failed.
func TestPlanTellsOfTries(t *testing.T) {
	st := memstore.New()
	put(t, st, "a", "", "prod", 1)
	p := garbage.Runner{Cluster: "prod", Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
	for _, at := range []time.Time{day(3), day(4)} {
		if err := p.Record(t.Context(), contract.GarbageTry{Name: "a", UID: "uid-a", Location: "default", At: at, Error: "access denied"}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := p.Plan(t.Context(), contract.PlanGarbageInput{Now: day(4).Add(time.Minute)})
	if err != nil || len(got.Keep) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	row := got.Keep[0]
	if row.Tries != 2 || !row.FirstTry.Equal(day(3)) || !row.LastTry.Equal(day(4)) || row.LastError != "access denied" || row.Cause != garbage.CauseFailed {
		t.Errorf("%+v", row)
	}
}
