package drill

import (
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// TestSample: the object that is taken out of the copy is one that no controller makes again.
func TestSample(t *testing.T) {
	a := newAccount()
	for _, gr := range []string{"deployments.apps", "namespaces"} {
		a.addRestored(entry(gr, "x"), nil)
	}
	a.addRestored(entry("serviceaccounts", "default"), nil)
	if a.Sample != nil {
		t.Errorf("%+v", a.Sample)
	}
	a.addRestored(entry("services", "web"), nil)
	a.addRestored(entry("configmaps", "c"), nil)
	a.addRestored(entry("secrets", "s"), nil)
	if a.Sample == nil || a.Sample.Resource != "configmaps" {
		t.Errorf("%+v", a.Sample)
	}
}

// TestNothingRuns: where the backup has pods or controllers of pods, a copy in which nothing runs does not prove
// L4; Jobs, and what has ended, run in no copy.
func TestNothingRuns(t *testing.T) {
	for name, tc := range map[string]struct {
		gr, body string
		counts   bool
	}{
		"deployment":        {"deployments.apps", "{}", true},
		"controller":        {"replicationcontrollers", "{}", true},
		"pod":               {"pods", "{}", true},
		"of a custom kind":  {"pods", `{"metadata":{"ownerReferences":[{"apiVersion":"postgresql.cnpg.io/v1","kind":"Cluster","name":"db","controller":true}]}}`, true},
		"pod of a Job":      {"pods", `{"metadata":{"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"j","controller":true}]}}`, false},
		"pod that has done": {"pods", `{"status":{"phase":"Succeeded"}}`, false},
		"config":            {"configmaps", "{}", false},
	} {
		inBackup := 0
		if isWorkload(tc.gr, []byte(tc.body)) {
			inBackup++
		}
		f := passed()
		// A quota is looked at with the workloads, and runs nothing.
		ready := withMissing(contract.DrillReady{Workloads: contract.DrillCheck{Checked: 1, Good: 1}}, inBackup)
		f.in.Ready = &ready
		_, l4 := f.readyLevels()
		if got := l4.Outcome != evidence.LevelProven; got != tc.counts || ready.Done() == tc.counts || tc.counts && !strings.Contains(l4.Detail, "nothing runs in the copy") {
			t.Errorf("%s: %+v", name, l4)
		}
	}
	running := contract.DrillReady{Workloads: contract.DrillCheck{Checked: 1, Good: 1}, Running: 1}
	if got := withMissing(running, 3); got != running {
		t.Errorf("%+v", got)
	}
}

// TestEmptied: a claim of which both its plan and its object tell is one volume.
func TestEmptied(t *testing.T) {
	a := newAccount()
	for range 2 {
		a.addEmptied("persistentvolumeclaims", "shop/a")
		a.addEmptied("pods", "shop/web")
	}
	if !slices.Equal(a.Emptied, []string{"claim shop/a", "pod shop/web"}) {
		t.Errorf("%q", a.Emptied)
	}
}
