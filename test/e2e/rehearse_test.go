//go:build stack

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// rehearses names the stack's binaries, so that a worker rehearses.
func rehearses(t *testing.T, after string) func(*config.Config) {
	t.Helper()
	apiServer, err := stack.Binary("kube-apiserver")
	if err != nil {
		t.Fatal(err)
	}
	etcd, err := stack.Binary("etcd")
	if err != nil {
		t.Fatal(err)
	}
	return func(c *config.Config) {
		c.Rehearsal = config.Rehearsal{APIServer: apiServer, Etcd: etcd, After: after, Versions: map[string]string{"1.99": apiServer}}
	}
}

// TestRehearse: a backup is proven by hand and by itself, and the CLI says at what level.
func TestRehearse(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespaces(t, "rehearse").Replace("<rehearse>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: %s}, data: {k: v}}", ns, ns))
	h := l.Beside(t, harness.Options{Cluster: "rehearse", Edit: rehearses(t, config.RehearseNever)}).Harness
	ask(t, h, 0, nil, "backup", "create", "whole", "--include-namespaces", ns, "--wait")
	ask(t, h, 0, []string{"<never>"}, "backup", "get")
	ask(t, h, 0, []string{`Backup "whole" is proven at level L2`, "Equal", "Changed on purpose"}, "backup", "rehearse", "whole", "--wait")
	ask(t, h, 0, []string{"Proven", "L2 (every object"}, "backup", "describe", "whole")
	ask(t, h, 0, []string{"PROVEN", "L2, "}, "backup", "get")
	ask(t, h, 2, []string{"rehearsal.versions[1.99]: the binary is of version v1."}, "backup", "rehearse", "whole", "--kubernetes-version", "1.99", "--wait")
	ask(t, h, 2, []string{`there is no API server of "1.20"; known are 1.99`}, "backup", "rehearse", "whole", "--kubernetes-version", "1.20", "--wait")
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

	// A worker that is told to rehearses by itself what nobody has.
	h = l.Beside(t, harness.Options{Cluster: "rehearse2", Edit: rehearses(t, config.RehearseNever)}).Harness
	ask(t, h, 0, nil, "backup", "create", "next", "--include-namespaces", ns, "--wait")
	h = l.Beside(t, harness.Options{Cluster: "rehearse2", Edit: rehearses(t, config.RehearseAlways)}).Harness
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(2 * time.Second) {
		doc, err := h.Run(t.Context(), "backup", "describe", "next", "-o", "json")
		var view struct{ Rehearsals []contract.RehearsalSummary }
		if err == nil && json.Unmarshal([]byte(doc), &view) == nil && len(view.Rehearsals) == 1 && view.Rehearsals[0].Level == contract.LevelEqual {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not rehearsed by itself: %v\n%s", err, doc)
		}
	}
}
