package apply

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

// TestMergedNamespaces: where two sources share a target, each name is created once, what is
// left out is told, and what is equal is left out in silence. The answer is the same in
// every run.
func TestMergedNamespaces(t *testing.T) {
	stored := func(key, data string) restoretest.Stored {
		return restoretest.Stored{Key: key, Rest: `,"apiVersion":"v1","kind":"ConfigMap","data":{"from":"` + data + `"}`}
	}
	objs := []restoretest.Stored{
		stored("configmaps a/settings", "a"), stored("configmaps b/settings", "b"),
		stored("configmaps a/same", "both"), stored("configmaps b/same", "both"),
		stored("configmaps a/only-a", "a"), stored("configmaps b/only-b", "b"),
	}
	for name, tt := range map[string]struct {
		mapping map[string]string
		target  string
		first   string
	}{
		"two into a third":       {map[string]string{"a": "x", "b": "x"}, "x", "a"},
		"one into the other":     {map[string]string{"a": "b"}, "b", "b"},
		"mapped to its own name": {map[string]string{"a": "b", "b": "b"}, "b", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			s := kubetest.Start(t)
			s.PutNamespaces(tt.target)
			run := newRun(t, velerov1.RestoreSpec{NamespaceMapping: tt.mapping}, false, objs...)
			a := newTestApplier(t, s, run)
			for range 2 { // an activity may repeat
				if got, want := clashWords(t, a, run), map[string]string{
					"settings": "created of " + tt.first + ", skipped of " + map[string]string{"a": "b", "b": "a"}[tt.first] + " EXISTS_DIFFERS warning",
					"same":     "created of " + tt.first + ", skipped of " + map[string]string{"a": "b", "b": "a"}[tt.first],
					"only-a":   "created of a", "only-b": "created of b",
				}; !maps.Equal(got, want) {
					t.Errorf("%v, want %v", got, want)
				}
			}
			live, _ := kubetest.Get[corev1.ConfigMap](s, kube.ConfigMaps(), tt.target, "settings")
			if live.Data["from"] != tt.first {
				t.Errorf("data %v", live.Data)
			}
		})
	}
}

// clashWords is what became of the objects of each name.
func clashWords(t *testing.T, a *applier, run *restore.Run) map[string]string {
	t.Helper()
	records, err := a.applyBatch(t.Context(), wholeArchive(run))
	if err != nil {
		t.Fatal(err)
	}
	words := map[string][]string{}
	for _, rec := range records {
		text := rec.Action + " of " + rec.Origin().Namespace
		for _, r := range reasonWords(rec.Reasons) {
			text += " " + r
		}
		for _, r := range rec.Reasons {
			if strings.Contains(r.Next, "existingResourcePolicy") || !strings.Contains(r.Next, "namespace of its own") {
				t.Errorf("%s: no policy brings what was left out, but next is %q", rec.Name, r.Next)
			}
		}
		words[rec.Name] = append(words[rec.Name], text)
	}
	out := map[string]string{}
	for name, all := range words {
		slices.Sort(all)
		out[name] = all[0]
		for _, w := range all[1:] {
			out[name] += ", " + w
		}
	}
	return out
}

// TestMergedSources: the precedence of sources of one target.
func TestMergedSources(t *testing.T) {
	for want, mapping := range map[string]map[string]string{
		"map[]":                {"a": "a", "b": "b"},
		"map[c:[c b]]":         {"a": "b", "b": "c"},
		"map[x:[a b] y:[y x]]": {"b": "x", "a": "x", "x": "y"},
		"map[x:[x a b]]":       {"b": "x", "a": "x"},
		"map[b:[b a]]":         {"a": "b", "b": "b"},
		"map[b:[b a] c:[c d]]": {"a": "b", "d": "c"},
	} {
		if got := fmt.Sprint(mergedSources(mapping)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestOwnersWhereNamespacesAreMerged: an owner is looked for in the namespace that its object
// was in.
func TestOwnersWhereNamespacesAreMerged(t *testing.T) {
	s := kubetest.Start(t)
	s.PutJSON(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"owner","namespace":"b","uid":"u-1"}}`)
	owner := storedConfigMaps("owner")
	for from, stored := range map[string]string{"a": "configmaps a/owner", "b": "configmaps b/owner"} {
		owner[0].Key = stored
		run := newRun(t, velerov1.RestoreSpec{NamespaceMapping: map[string]string{"a": "b"}}, false, owner...)
		l, err := newLinker(t.Context(), newTestService(t, s), run)
		if err != nil {
			t.Fatal(err)
		}
		rec := ownedSecret("s-"+from, "owner")
		rec.Namespace = "b"
		if from == "a" {
			rec.From = "a/" + rec.Name
		}
		s.PutJSON(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"` + rec.Name + `","namespace":"b"}}`)
		if reasons, err := linkOne(t, l, rec); err != nil || len(reasons) > 0 {
			t.Errorf("of %s: %+v, %v", from, reasons, err)
		}
		if live, _ := kubetest.Get[corev1.Secret](s, coreType("secrets"), "b", rec.Name); ownerWords(live.OwnerReferences) != "ConfigMap/owner/u-1 false false" {
			t.Errorf("of %s: %v", from, live.OwnerReferences)
		}
	}
}
