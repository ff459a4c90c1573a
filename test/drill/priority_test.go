//go:build stack

package drill

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// waiting is a drill that asks for what is not there until it is stopped.
const waiting = `
apiVersion: lifeboat-backup.github.io/v1
kind: Drill
metadata: {name: waiting}
spec:
  source: {backup: first}
  assertions: [{name: a, namespace: <ns>, object: {resource: configmaps, name: none}, retries: 100, retryInterval: 1s}]
`

// withWaitingDrill is a cluster whose worker has one slot for backups and restores, and a drill that waits for
// what does not come until it is stopped. The backup "first" has the namespace.
func withWaitingDrill(t *testing.T, cluster string) (h *harness.Harness, ns string) {
	t.Helper()
	h = shared.Idle(t, harness.Options{Cluster: cluster, Edit: func(c *config.Config) {
		c.Limits.ConcurrentActivities = 1
		c.Drills.SigningKey = &config.SigningKey{File: strings.TrimSuffix(shared.key, ".pub")}
	}})
	w, err := h.StartWorker(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Kill)
	ns = cluster + "-" + shared.ID
	apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+ns+"}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: "+ns+"}}")
	if out, err := h.Run(t.Context(), "backup", "create", "first", "--include-namespaces", ns, "--wait"); err != nil {
		t.Fatal(err, out)
	}
	if err := h.StartDrill(t.Context(), strings.Replace(waiting, "<ns>", ns, 1)); err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, "the drill waits", func() bool { return asserts(t, h) })
	return h, ns
}

func asserts(t *testing.T, h *harness.Harness) bool {
	t.Helper()
	return inState(t, h, contract.DrillID(h.Cluster), enumspb.PENDING_ACTIVITY_STATE_STARTED, contract.RunDrillAssertions.Name)
}

func stopDrill(t *testing.T, h *harness.Harness) {
	t.Helper()
	if err := h.Temporal.SignalWorkflow(t.Context(), contract.DrillID(h.Cluster), "", contract.StopDrill, nil); err != nil {
		t.Fatal(err)
	}
	_ = h.Temporal.GetWorkflow(t.Context(), contract.DrillID(h.Cluster), "").Get(t.Context(), nil) // it was stopped
}

// TestDrillDelaysNothing: a backup begins and ends while a drill waits.
func TestDrillDelaysNothing(t *testing.T) {
	h, ns := withWaitingDrill(t, "delays")
	limited, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if out, err := h.Run(limited, "backup", "create", "second", "--include-namespaces", ns, "--wait"); err != nil || !asserts(t, h) {
		t.Error(err, out)
	}
	stopDrill(t, h)
}

// hold takes a slot of a queue by the assertions of a drill until it is cancelled.
func hold(ctx workflow.Context, queue string, in contract.AssertDrillInput) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: queue, StartToCloseTimeout: 10 * time.Minute, HeartbeatTimeout: 10 * time.Second, WaitForCancellation: true,
	})
	return workflow.ExecuteActivity(ctx, contract.RunDrillAssertions.Name, in).Get(ctx, nil)
}

// holdSlot takes the slot for backups and restores, and gives it back by the function that it returns.
func holdSlot(t *testing.T, h *harness.Harness, in contract.AssertDrillInput) (release func()) {
	t.Helper()
	w := worker.New(h.Temporal, "hold-"+h.Cluster, worker.Options{})
	w.RegisterWorkflow(hold)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	run, err := h.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "hold-" + h.Cluster, TaskQueue: "hold-" + h.Cluster}, hold, contract.TaskQueue(h.Cluster), in)
	if err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, "the slot is taken", func() bool {
		return inState(t, h, run.GetID(), enumspb.PENDING_ACTIVITY_STATE_STARTED, "")
	})
	return func() {
		if err := h.Temporal.CancelWorkflow(t.Context(), run.GetID(), ""); err != nil {
			t.Fatal(err)
		}
	}
}

// assertInput is what the drill asks for.
func assertInput(t *testing.T, h *harness.Harness) (in contract.AssertDrillInput) {
	t.Helper()
	history := h.Temporal.GetWorkflowHistory(t.Context(), contract.DrillID(h.Cluster), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		if a := e.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == contract.RunDrillAssertions.Name {
			if err := converter.GetDefaultDataConverter().FromPayloads(a.GetInput(), &in); err != nil {
				t.Fatal(err)
			}
		}
	}
	return in
}

// TestPriorities: of what waits for the one slot of a worker the restore goes first, then the backup, and
// verification last, though it was asked first.
func TestPriorities(t *testing.T) {
	h, ns := withWaitingDrill(t, "priorities")
	release := holdSlot(t, h, assertInput(t, h))
	backup := contract.BackupInput{Name: "second"}
	backup.Spec.IncludedNamespaces = []string{ns}
	restore := contract.RestoreInput{Name: "back"}
	restore.Spec.BackupName, restore.Spec.NamespaceMapping = "first", map[string]string{ns: ns + "-back"}
	asked := []struct {
		id, kind string
		in       any
	}{
		{contract.VerificationID(h.Cluster), contract.VerifyBackupsWorkflow, contract.VerifyBackupsInput{Names: []string{"first"}}},
		{contract.BackupID(h.Cluster, "second"), contract.BackupWorkflow, backup},
		{contract.RestoreID(h.Cluster, "back"), contract.RestoreWorkflow, restore},
	}
	for _, a := range asked {
		if _, err := h.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: a.id, TaskQueue: contract.TaskQueue(h.Cluster)}, a.kind, a.in); err != nil {
			t.Fatal(err)
		}
		until(t, time.Minute, a.kind+" waits", func() bool { return inState(t, h, a.id, enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, "") })
	}
	release()
	began := map[string]time.Time{}
	for _, a := range asked {
		if err := h.Temporal.GetWorkflow(t.Context(), a.id, "").Get(t.Context(), nil); err != nil {
			t.Errorf("%s: %v", a.kind, err)
		}
		began[a.kind] = firstStarted(t, h, a.id)
	}
	order := []string{contract.RestoreWorkflow, contract.BackupWorkflow, contract.VerifyBackupsWorkflow}
	if !slices.IsSortedFunc(order, func(a, b string) int { return began[a].Compare(began[b]) }) {
		t.Errorf("began %v, want the order %q", began, order)
	}
	stopDrill(t, h)
}

// inState says that a run has an activity in a state, of the name if one is given.
func inState(t *testing.T, h *harness.Harness, id string, state enumspb.PendingActivityState, name string) bool {
	t.Helper()
	run, err := h.Temporal.DescribeWorkflow(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range run.RawResponse.GetPendingActivities() {
		if a.GetState() == state && (name == "" || a.GetActivityType().GetName() == name) {
			return true
		}
	}
	return false
}

// firstStarted is when the first activity of a run has begun.
func firstStarted(t *testing.T, h *harness.Harness, id string) time.Time {
	t.Helper()
	history := h.Temporal.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e.GetActivityTaskStartedEventAttributes() != nil {
			return e.GetEventTime().AsTime()
		}
	}
	t.Fatalf("%s has no activity", id)
	return time.Time{}
}
