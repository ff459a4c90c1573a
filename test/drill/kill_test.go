//go:build stack

package drill

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

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
		contract.IsolateDrill.Name, contract.ApplyTask.Name, contract.AccountDrill.Name, contract.CheckDrillReady.Name, contract.RunDrillAssertions.Name, contract.ReadDrillVolumes.Name,
		contract.RunDrillControl.Name, contract.TearDownDrill.Name, contract.SignDrill.Name, contract.NotifyDrill.Name, contract.AbandonRestore.Name,
	}
}

// sampled are the activities in which a drill's worker is killed without LIFEBOAT_SOAK: one before there is a
// copy, those that make it, break it and remove it, and the one that signs.
func sampled() []string {
	return []string{
		contract.OpenArchive.Name, contract.IsolateDrill.Name, contract.ApplyTask.Name, contract.RunDrillControl.Name, contract.TearDownDrill.Name, contract.SignDrill.Name,
	}
}

// TestKilledInEachPhase kills the worker of one drill with SIGKILL in each of its phases, without LIFEBOAT_SOAK
// in some: it passes all the same, once, and leaves nothing.
func TestKilledInEachPhase(t *testing.T) {
	ns := "kills-" + shared.ID
	apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+ns+"}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: count, namespace: "+ns+"}, data: {rows: '48211'}}")
	setUp(t, ns, "kills")
	before, drilled := remains(t), len(chainNow(t))
	if err := shared.StartDrill(t.Context(), strings.NewReplacer("<ns>", ns, "<backup>", "kills").Replace(killedDrill)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	phases := sampled()
	if os.Getenv("LIFEBOAT_SOAK") != "" {
		phases = killedIn()
	}
	killed, err := shared.AtEach(ctx, contract.DrillID(shared.Cluster), phases, killWorker(t))
	if err != nil || !slices.Equal(killed, phases) {
		t.Errorf("killed in %q, want %q: %v", killed, phases, err)
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

// killWorker ends the worker with SIGKILL, and starts another.
func killWorker(t *testing.T) func() error {
	return func() error {
		shared.Worker.Kill()
		shared.ReplaceWorker(t)
		return nil
	}
}

// TestCancelledInEachPhase cancels a drill in each of its phases, without LIFEBOAT_SOAK in some: its copy goes, and there is evidence
// of it as soon as its backup is known, unless the cancel comes when all is decided.
func TestCancelledInEachPhase(t *testing.T) {
	ns := "cancels-" + shared.ID
	apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+ns+"}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: count, namespace: "+ns+"}, data: {rows: '48211'}}")
	setUp(t, ns, "cancels")
	document := strings.NewReplacer("<ns>", ns, "<backup>", "cancels").Replace(killedDrill)
	before := remains(t)
	phases := []string{contract.IsolateDrill.Name, contract.ApplyTask.Name, contract.SignDrill.Name}
	if os.Getenv("LIFEBOAT_SOAK") != "" {
		phases = killedIn()
	}
	for _, phase := range phases {
		t.Run(phase, func(t *testing.T) {
			drilled := len(chainNow(t))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if err := shared.StartDrill(ctx, document); err != nil {
				t.Fatal(err)
			}
			done, err := shared.AtEach(ctx, contract.DrillID(shared.Cluster), []string{phase}, func() error {
				return shared.Temporal.CancelWorkflow(ctx, contract.DrillID(shared.Cluster), "")
			})
			if err != nil || len(done) == 0 {
				t.Fatalf("it did not come to %s: %v", phase, err)
			}
			isBegun := phase != contract.PrepareDrill.Name
			late := slices.Index(killedIn(), phase) >= slices.Index(killedIn(), contract.TearDownDrill.Name)
			either := phase == contract.RunDrillControl.Name // it is over before a cancel comes, or not
			if err := await(t); (err != nil) == late && !either {
				t.Errorf("ends with %v", err)
			}
			now := chainNow(t)
			if (len(now) == drilled+1) != isBegun {
				t.Fatalf("%d drills have left evidence, there were %d", len(now), drilled)
			}
			if isBegun && !late && !either {
				checkCancelled(t, now[drilled].Statement.Predicate)
			}
			if now := remains(t); !slices.Equal(now, before) {
				t.Errorf("left:\n%q\nbefore:\n%q", now, before)
			}
		})
	}
}

func checkCancelled(t *testing.T, p evidence.Predicate) {
	t.Helper()
	if !strings.Contains(jsonOf(p.Claim), `"ABORTED"`) || !strings.Contains(jsonOf(p.Claim), "cancelled") || p.Teardown.Outcome != evidence.TeardownComplete {
		t.Errorf("%s, teardown %+v", jsonOf(p.Claim), p.Teardown)
	}
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
