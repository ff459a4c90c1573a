//go:build stack

package drill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// killedDrill asks for everything that a drill can do.
const killedDrill = `
apiVersion: lifeboat-backup.github.io/v1
kind: Drill
metadata: {name: killed}
spec:
  source: {backup: <backup>}
  assertions:
  - {name: count, namespace: <ns>, object: {resource: configmaps, name: count, field: data.rows}, expect: {equals: "48211"}}
  notifications:
  - {name: event, event: {namespace: <ns>}}
`

// killedIn are the activities of a drill, in their order, in each of which its worker is killed.
func killedIn() []string {
	return []string{
		contract.PrepareDrill.Name, contract.RemoveLostDrills.Name, contract.OpenArchive.Name, contract.VerifyDrillBytes.Name, contract.PlanRestore.Name,
		contract.IsolateDrill.Name, contract.ApplyTask.Name, contract.AccountDrill.Name, contract.CheckDrillReady.Name, contract.RunDrillAssertions.Name,
		contract.RunDrillControl.Name, contract.TearDownDrill.Name, contract.SignDrill.Name, contract.NotifyDrill.Name, contract.AbandonRestore.Name,
	}
}

// TestKilledInEachPhase kills the worker of one drill with SIGKILL in each of its phases: it passes
// all the same, once, and leaves nothing.
func TestKilledInEachPhase(t *testing.T) {
	ns := "kills-" + shared.ID
	apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+ns+"}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: count, namespace: "+ns+"}, data: {rows: '48211'}}")
	setUp(t, ns, "kills")
	file := filepath.Join(t.TempDir(), "drill.yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer("<ns>", ns, "<backup>", "kills").Replace(killedDrill)), 0o600); err != nil {
		t.Fatal(err)
	}
	before, drilled := remains(t), len(chainNow(t))
	cli(t, 0, "drill", "run", "-f", file)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	if killed := killInEach(ctx, t, killedIn()); !slices.Equal(killed, killedIn()) {
		t.Errorf("killed in %q, want %q", killed, killedIn())
	}
	var res contract.DrillResult
	if err := shared.Temporal.GetWorkflow(ctx, contract.DrillID(shared.Cluster), "").Get(ctx, &res); err != nil || !res.Passed() || res.Level != contract.LevelAssertion || len(res.Warnings) > 0 {
		t.Fatalf("%+v, %v\n%s", res, err, tail(shared.Worker.Log()))
	}
	if now := chainNow(t); len(now) != drilled+1 || now[drilled].Statement.Predicate.Teardown.Outcome != evidence.TeardownComplete {
		t.Errorf("%d drills have left evidence, there were %d", len(now), drilled)
	}
	if now := remains(t); !slices.Equal(now, before) {
		t.Errorf("left:\n%q\nbefore:\n%q", now, before)
	}
	events, err := shared.Kubectl(t.Context(), "", "get", "events", "-n", ns, "--field-selector=reason=DrillPassed", "-o", "name")
	if err != nil || strings.Count(events, "event/") != 1 {
		t.Errorf("told %s, %v", events, err)
	}
}

// killInEach follows a drill by its history, and kills its worker as soon as an activity is asked
// for that it was not killed in yet. It returns when the drill has ended.
func killInEach(ctx context.Context, t *testing.T, in []string) (killed []string) {
	t.Helper()
	history := shared.Temporal.GetWorkflowHistory(ctx, contract.DrillID(shared.Cluster), "", true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		name := event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
		if !slices.Contains(in, name) || slices.Contains(killed, name) {
			continue
		}
		killed = append(killed, name)
		shared.Worker.Kill()
		shared.ReplaceWorker(t)
	}
	return killed
}

// remains is what drills could leave in the cluster, and in the bucket below plugins/ but for
// evidence.
func remains(t *testing.T) (all []string) {
	t.Helper()
	for _, kind := range []string{"namespaces", "persistentvolumes", "volumesnapshotcontents.snapshot.storage.k8s.io", "priorityclasses.scheduling.k8s.io", "jobs.batch", "volumesnapshots.snapshot.storage.k8s.io"} {
		for _, obj := range shared.List(t, kind, "", "") {
			meta, _ := obj["metadata"].(map[string]any)
			all = append(all, fmt.Sprint(kind, " ", meta["namespace"], "/", meta["name"]))
		}
	}
	for _, key := range staged(t) {
		all = append(all, "key "+key)
	}
	slices.Sort(all)
	return all
}

func staged(t *testing.T) (keys []string) {
	t.Helper()
	err := shared.Store.List(t.Context(), "plugins/lifeboat/staging/", func(i store.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
