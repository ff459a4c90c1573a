package apply

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

// TestWhatIsBeingDeletedIsWaitedFor: an object that is equal to the backup's, and on
// its way out, is not one that is there.
func TestWhatIsBeingDeletedIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.Start(t, kubetest.WithoutNetwork())
		run := newRun(t, velerov1.RestoreSpec{}, false, storedConfigMaps("stays", "goes", "late")...)
		s.PutJSON(liveObject("ConfigMap", "stays", "", `,"data":{"k":"v"}`))
		for name, after := range map[string]time.Duration{"goes": 100 * time.Millisecond, "late": 700 * time.Millisecond} {
			s.PutJSON(liveObject("ConfigMap", name, `,"deletionTimestamp":"2026-01-01T00:00:00Z"`, `,"data":{"k":"v"}`))
			begin := sync.OnceFunc(func() { time.AfterFunc(after, func() { s.Remove(kube.ConfigMaps(), "n", name) }) })
			s.React(kubetest.On("create", kube.ConfigMaps()).Named(name), func(kubetest.Request) error {
				begin() // from when it is asked for, however busy the machine is
				return nil
			})
		}
		got := applyAll(t, newTestApplier(t, s, run), run)
		for name, want := range map[string]report.Action{"stays": report.Skipped, "goes": report.Created, "late": report.Created} {
			if got[name].Action != string(want) || len(got[name].Reasons) > 0 {
				t.Errorf("%s: %+v, want %s", name, got[name], want)
			}
		}
		if n := s.Count(kubetest.On("create", kube.ConfigMaps()).Named("late")); n != 2 {
			t.Errorf("%d creates of an object that was waited for", n)
		}
	})
}

func TestWhatStaysWhileBeingDeletedIsAnError(t *testing.T) {
	blocker := terminationOf(map[string]any{"metadata": map[string]any{
		"uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": []any{"example.com/held"},
	}})
	for name, tt := range map[string]struct {
		first  *firstAttempt
		waited bool
	}{
		"first attempt":          {nil, false},
		"something else blocked": {&firstAttempt{blocker: &termination{uid: "other"}}, false},
		"nothing blocked":        {&firstAttempt{}, false},
		"the same blocked":       {&firstAttempt{blocker: blocker}, true},
	} {
		out := blockedOutcome(blocker, tt.first)
		if out.action != string(report.Failed) || out.blocker != blocker || !slices.Equal(reasonWords(out.reasons), []string{"OBJECT_TERMINATING error"}) {
			t.Fatalf("%s: %+v", name, out)
		}
		text := out.reasons[0].String()
		if waited := strings.Contains(text, "still there after 30s"); waited != tt.waited {
			t.Errorf("%s: %q", name, text)
		}
		for _, words := range []string{"example.com/held", "remove its finalizers"} {
			if !strings.Contains(text, words) {
				t.Errorf("%s: %q does not say %q", name, text, words)
			}
		}
	}
}

// TestTerminationPatience: a pod may take the time that it was given.
func TestTerminationPatience(t *testing.T) {
	for seconds, want := range map[int64]time.Duration{0: 30 * time.Second, 120: 150 * time.Second, 86400: terminatingTimeout + 30*time.Second, -1: 30 * time.Second} {
		blocker := terminationOf(map[string]any{"metadata": map[string]any{"deletionTimestamp": "x", "deletionGracePeriodSeconds": seconds}})
		if blocker == nil || blocker.patience() != want {
			t.Errorf("%d s: %+v, want %s", seconds, blocker, want)
		}
	}
	if terminationOf(map[string]any{"metadata": map[string]any{}}) != nil {
		t.Error("an object that stays is waited for")
	}
}

// TestDryRunOfWhatIsBeingDeleted: the plan says what the restore would do.
func TestDryRunOfWhatIsBeingDeleted(t *testing.T) {
	s := kubetest.Start(t)
	run := newRun(t, velerov1.RestoreSpec{}, true, storedConfigMaps("goes")...)
	s.PutJSON(liveObject("ConfigMap", "goes", `,"deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["example.com/held"]`, `,"data":{"k":"v"}`))
	rec := applyAll(t, newTestApplier(t, s, run), run)["goes"]
	if rec.Action != restore.PlanCreate || rec.Live != "" || len(rec.Reasons) != 1 || rec.Reasons[0].Code != report.ObjectTerminating || rec.Reasons[0].IsError() {
		t.Errorf("%+v", rec)
	}
	if n := s.Count(kubetest.On("create", kube.ConfigMaps())); n > 0 {
		t.Error("a dry run wrote")
	}
}

const definitionOf = `,"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","spec":{"versions":[{"name":"v1","served":true},{"name":"v2","served":false}]}`

// TestDryRunOfCustomResources: a type is as good as served where the restore brings
// its definition, in the versions that the definition serves.
func TestDryRunOfCustomResources(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		custom := func(plural, version string) restoretest.Stored {
			return restoretest.Stored{Key: plural + ".example.com n/" + plural + "-" + version, Rest: `,"apiVersion":"example.com/` + version + `","kind":"Custom"`}
		}
		objs := []restoretest.Stored{
			{Key: "customresourcedefinitions.apiextensions.k8s.io known.example.com", Rest: definitionOf},
			custom("known", "v1"), custom("known", "v2"), custom("unknown", "v1"),
		}
		for _, dryRun := range []bool{true, false} {
			run := newRun(t, velerov1.RestoreSpec{}, dryRun, objs...)
			a := newTestApplier(t, kubetest.Start(t, kubetest.WithoutNetwork()), run)
			a.level = plan.LevelOf("known.example.com")
			got := applyAll(t, a, run)
			fail := map[bool]string{true: restore.PlanFail, false: string(report.Failed)}[dryRun]
			want := map[string]string{"known-v1": fail, "known-v2": fail, "unknown-v1": fail}
			if dryRun {
				want["known-v1"] = restore.PlanCreate
			}
			for name, action := range want {
				if got[name].Action != action {
					t.Errorf("dry run %t: %s: %+v, want %s", dryRun, name, got[name], action)
				}
			}
		}
	})
}
