package apply

import (
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

// TestWhatIsBeingDeletedIsWaitedFor: an object that is equal to the backup's, and on
// its way out, is not one that is there.
func TestWhatIsBeingDeletedIsWaitedFor(t *testing.T) {
	s := &apiServer{}
	a := applierOf(t, s, false, configMapsNamed("stays", "goes", "late")...)
	s.put(t, "configmaps/stays", "ConfigMap", "", `,"data":{"k":"v"}`)
	for name, at := range map[string]time.Duration{"goes": 100 * time.Millisecond, "late": 700 * time.Millisecond} {
		s.put(t, "configmaps/"+name, "ConfigMap", `,"deletionTimestamp":"2026-01-01T00:00:00Z"`, `,"data":{"k":"v"}`)
		s.gone["configmaps/"+name] = time.Now().Add(at)
	}
	records, err := a.batch(t.Context(), plan.Range{From: 0, To: len(a.s.Arc.Members())})
	if err != nil {
		t.Fatal(err)
	}
	got := byName(records)
	for name, want := range map[string]report.Action{"stays": report.Skipped, "goes": report.Created, "late": report.Created} {
		if got[name].Action != string(want) || len(got[name].Reasons) > 0 {
			t.Errorf("%s: %+v, want %s", name, got[name], want)
		}
	}
	if n := s.calls["POST configmaps/late"]; n != 2 {
		t.Errorf("%d creates of an object that was waited for", n)
	}
}

func TestWhatStaysWhileBeingDeletedIsAnError(t *testing.T) {
	live := map[string]any{"metadata": map[string]any{
		"uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": []any{"example.com/held"},
	}}
	it := &item{}
	it.leaves(leavingOf(live))
	it.rec = restore.Record{}
	rec := it.leaves(leavingOf(live))
	if rec.Action != string(report.Failed) || len(rec.Reasons) != 1 || rec.Reasons[0].Code != report.ObjectTerminating || !rec.Reasons[0].IsError() {
		t.Fatalf("%+v", rec)
	}
	for _, words := range []string{"example.com/held", "still there after 30s", "remove its finalizers"} {
		if !strings.Contains(rec.Reasons[0].String(), words) {
			t.Errorf("%q does not say %q", rec.Reasons[0], words)
		}
	}
}

// TestLeavingWaitsForGracePeriods: a Pod may take the time that it was given.
func TestLeavingWaitsForGracePeriods(t *testing.T) {
	for seconds, want := range map[int64]time.Duration{0: 30 * time.Second, 120: 150 * time.Second, 86400: terminatingTimeout + 30*time.Second, -1: 30 * time.Second} {
		l := leavingOf(map[string]any{"metadata": map[string]any{"deletionTimestamp": "x", "deletionGracePeriodSeconds": seconds}})
		if l == nil || l.wait() != want {
			t.Errorf("%d s: %+v, want %s", seconds, l, want)
		}
	}
	if leavingOf(map[string]any{"metadata": map[string]any{}}) != nil {
		t.Error("an object that stays is waited for")
	}
}

// TestDryRunOfWhatIsBeingDeleted: the plan says what the restore would do.
func TestDryRunOfWhatIsBeingDeleted(t *testing.T) {
	s := &apiServer{}
	a := applierOf(t, s, true, configMapsNamed("goes")...)
	s.put(t, "configmaps/goes", "ConfigMap", `,"deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["example.com/held"]`, `,"data":{"k":"v"}`)
	records, err := a.batch(t.Context(), plan.Range{From: 0, To: len(a.s.Arc.Members())})
	if err != nil || len(records) != 1 {
		t.Fatalf("%+v, %v", records, err)
	}
	rec := records[0]
	if rec.Action != restore.PlanCreate || rec.Live != "" || len(rec.Reasons) != 1 || rec.Reasons[0].Code != report.ObjectTerminating || rec.Reasons[0].IsError() {
		t.Errorf("%+v", rec)
	}
	if s.calls["POST configmaps/goes"] > 0 {
		t.Error("a dry run wrote")
	}
}

const definitionOf = `,"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","spec":{"versions":[{"name":"v1","served":true},{"name":"v2","served":false}]}`

// TestDryRunOfCustomResources: a type is as good as served where the restore brings
// its definition, in the versions that the definition serves.
func TestDryRunOfCustomResources(t *testing.T) {
	custom := func(plural, version string) restoretest.Stored {
		return restoretest.Stored{Key: plural + ".example.com n/" + plural + "-" + version, Rest: `,"apiVersion":"example.com/` + version + `","kind":"Custom"`}
	}
	objs := []restoretest.Stored{
		{Key: "customresourcedefinitions.apiextensions.k8s.io known.example.com", Rest: definitionOf},
		custom("known", "v1"), custom("known", "v2"), custom("unknown", "v1"),
	}
	for _, dryRun := range []bool{true, false} {
		a := applierOf(t, &apiServer{}, dryRun, objs...)
		a.level = plan.LevelOf("known.example.com")
		records, err := a.batch(t.Context(), plan.Range{From: 0, To: len(a.s.Arc.Members())})
		if err != nil {
			t.Fatal(err)
		}
		skip := map[bool]string{true: restore.PlanSkip, false: string(report.Skipped)}[dryRun]
		want := map[string]string{"known-v1": skip, "known-v2": skip, "unknown-v1": skip}
		if dryRun {
			want["known-v1"] = restore.PlanCreate
		}
		got := byName(records)
		for name, action := range want {
			if got[name].Action != action {
				t.Errorf("dry run %t: %s: %+v, want %s", dryRun, name, got[name], action)
			}
		}
	}
}
