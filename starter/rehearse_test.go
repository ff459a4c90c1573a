package main

import (
	"reflect"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

func rehearsed() contract.RehearsalResult {
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	return contract.RehearsalResult{
		Backup: "b", Location: "west", Level: contract.LevelEqual, Kubernetes: "v1.38.0", Started: at, Completed: at.Add(40 * time.Second), Stored: true,
		Counts:  contract.RehearsalCounts{Objects: 12, Equal: 9, Changed: 2, Left: 1},
		Changed: []contract.RehearsalChange{{Resource: "pods", Field: "spec.nodeName", By: "rule", Objects: 2}},
		Left:    []contract.RehearsalLeft{{Resource: "events", Code: "NOT_RESTORABLE", Reason: "it tells what happened", Objects: 1}},
	}
}

// A rehearsal says the level, accounts for all objects, and its exit code says whether the
// backup is proven.
func TestRehearse(t *testing.T) {
	m := &memory{results: map[string]any{"b": rehearsed()}}
	lifeboat(t, m, "", "backup", "rehearse", "b", "--kubernetes-version", "1.38", "--storage-location", "west", "--wait").
		want(t, console.CodeDone, `Backup "b" is proven at level L2`, "Kubernetes v1.38.0, in 40s", "spec.nodeName", "2 objects, by the rule", "NOT_RESTORABLE: it tells")
	if want := (contract.RehearseInput{Backup: "b", Location: "west", KubernetesVersion: "1.38"}); !reflect.DeepEqual(m.started, []any{want}) {
		t.Errorf("asked for %+v", m.started)
	}
	bad := rehearsed()
	bad.Level, bad.Errors, bad.Stored = contract.LevelBytes, 1, false
	bad.Counts.Refused = 1
	for range 25 {
		bad.Problems = append(bad.Problems, contract.RehearsalProblem{Code: "API_REMOVED", Severity: "error", Resource: "cronjobs.batch", Namespace: "n", Name: "x\x1b[2J", Message: "gone", Next: "move it"})
	}
	m.results["b"] = bad
	lifeboat(t, m, "", "backup", "rehearse", "b", "--wait").
		want(t, console.CodePartiallyFailed, "[API_REMOVED] cronjobs.batch n/x", "Next: move it", "and 5 more", "is not written to")
	lifeboat(t, m, "", "backup", "rehearse", "b", "-o", "json").want(t, console.CodePartiallyFailed, `"level": "L0"`, `"refused": 1`)
	lifeboat(t, m, "", "backup", "rehearse", "b", "-o", "name").want(t, console.CodeError, "--output")
}

// Without --wait the command says how to go on.
func TestRehearseWithoutWait(t *testing.T) {
	lifeboat(t, &memory{}, "", "backup", "rehearse", "b").
		want(t, console.CodeDone, `Backup "b" is being rehearsed by workflow id:b`, "Next: lifeboat backup rehearse b --wait")
}

// describe shows the level that was proven, and when.
func TestDescribeShowsTheLevel(t *testing.T) {
	doc := &velerov1.Backup{}
	doc.Name = "b"
	m := &memory{reads: map[string]contract.ReadResult{contract.ReadBackup + "/b": {
		Backup: doc, Rehearsals: []contract.RehearsalSummary{rehearsed().Summary()},
	}}}
	lifeboat(t, m, "", "backup", "describe", "b").want(t, console.CodeDone, "Proven:", "L2 (every object", "2026-03-01", "v1.38.0")
	lifeboat(t, m, "", "backup", "describe", "b", "-o", "json").want(t, console.CodeDone, `"rehearsals"`, `"level": "L2"`)
}
