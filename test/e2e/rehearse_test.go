//go:build stack

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// rehearses names the stack's binaries, so that a worker rehearses.
func rehearses(t *testing.T, after string) func(*config.Config) {
	t.Helper()
	planes, err := harness.Rehearsals()
	if err != nil {
		t.Fatal(err)
	}
	planes.After, planes.Versions = after, map[string]string{"1.99": planes.APIServer}
	return func(c *config.Config) { c.Rehearsal = planes }
}

// TestRehearse: a backup is proven by hand and by itself, and the CLI says at what level.
func TestRehearse(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespaces(t, "rehearse").Replace("<rehearse>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: %s}, data: {k: v}}", ns, ns))
	h := l.Beside(t, harness.Options{Cluster: "rehearse", Edit: rehearses(t, config.RehearseNever)}).Harness
	ask(t, h, 0, nil, "backup", "create", "whole", "--include-namespaces", ns, "--wait")
	ask(t, h, 0, []string{"never      never"}, "backup", "get")
	ask(t, h, 0, []string{`Backup "whole" is proven at level L2`, "Equal", "Changed on purpose"}, "backup", "rehearse", "whole", "--wait")
	ask(t, h, 0, []string{"Proven", "L2 (every object"}, "backup", "describe", "whole")
	ask(t, h, 0, []string{"PROVEN", "L2, "}, "backup", "get")
	ask(t, h, 2, []string{"rehearsal.versions[1.99]: the binary is of version v1."}, "backup", "rehearse", "whole", "--kubernetes-version", "1.99", "--wait")
	ask(t, h, 1, []string{`there is no API server of "1.20"; known are 1.99`}, "backup", "rehearse", "whole", "--kubernetes-version", "1.20", "--wait")
	out, err := h.Run(t.Context(), "backup", "rehearse", "whole", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var res contract.RehearsalResult
	if err := json.Unmarshal([]byte(out), &res); err != nil {
		t.Fatal(err)
	}
	if res.Counts.Objects < 2 || res.Counts.Sum() != res.Counts.Objects || !res.Stored {
		t.Errorf("%+v", res)
	}

	checkByThemselves(t, l, ns)
}

// checkByThemselves: a worker rehearses what nobody has, as the schedule of a backup says, and
// where it says nothing as the configuration does.
func checkByThemselves(t *testing.T, l *lab, ns string) {
	t.Helper()
	without := l.Beside(t, harness.Options{Cluster: "rehearse2"})
	h := without.Harness
	for name, says := range map[string]string{"each": config.RehearseAlways, "none": config.RehearseNever} {
		ask(t, h, 0, nil, "schedule", "create", name, "--schedule", "@yearly", "--rehearse", says, "--include-namespaces", ns)
		ask(t, h, 0, nil, "backup", "create", name+"-1", "--from-schedule", name, "--wait")
	}
	ask(t, h, 0, []string{`schedule "each": its backups are not rehearsed`}, "schedule", "get")
	ask(t, h, 0, nil, "backup", "create", "without", "--include-namespaces", ns, "--wait")
	without.Worker.Stop()
	h = l.Beside(t, harness.Options{Cluster: "rehearse2", Edit: rehearses(t, config.RehearseDaily)}).Harness
	waitRehearsed(t, h, map[string]int{"each-1": 1, "none-1": 0, "without": 1})
}

// waitRehearsed waits until backups have the results that are wanted. Those that are to have none
// are looked at when the others have theirs: rehearsals are planned at the same time.
func waitRehearsed(t *testing.T, h *harness.Harness, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	for end := time.Now().Add(2 * time.Minute); !maps.Equal(got, want); time.Sleep(2 * time.Second) {
		if time.Now().After(end) {
			t.Fatalf("rehearsed by themselves: %v, want %v", got, want)
		}
		for name := range want {
			doc, err := h.Run(t.Context(), "backup", "describe", name, "-o", "json")
			var view struct{ Rehearsals []contract.RehearsalSummary }
			if err == nil && json.Unmarshal([]byte(doc), &view) == nil {
				got[name] = len(view.Rehearsals)
			}
		}
	}
}
