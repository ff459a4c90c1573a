//go:build stack

package chaos

import (
	"context"
	"fmt"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// timeShapes are the histories of what goes on without a person: each is named after what was done,
// and the last run of the type is it.
func timeShapes() map[string]string {
	return map[string]string{
		"schedules-changed": contract.SchedulesWorkflow, "schedule-triggered": contract.ScheduledBackupWorkflow,
		"retention-set": contract.RetentionWorkflow, "garbage-collected": contract.GarbageWorkflow,
		"backups-verified": contract.VerifyBackupsWorkflow,
		"backup-rehearsed": contract.RehearseWorkflow, "backups-rehearsed": contract.RehearsalsWorkflow,
	}
}

// TestRecordHistoriesOfTime makes a history of each and replays it; with LIFEBOAT_RECORD=version it
// also keeps them. It has a cluster name and a worker of its own, which rehearses.
func TestRecordHistoriesOfTime(t *testing.T) {
	t.Parallel()
	h, err := harness.New(t.Context(), shared, bins, t.TempDir(), harness.Options{Cluster: "time" + tag, Edit: rehearsing})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	worker, err := h.StartWorker(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(worker.Stop)
	namespace := "time-" + tag
	err = create(t.Context(), h.Kube, namespaceKind, "", m{"metadata": m{"name": namespace}})
	if err == nil {
		err = create(t.Context(), h.Kube, configKind, namespace, m{"metadata": m{"name": "c"}, "data": m{"k": "v"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := liveThroughTime(t.Context(), h, namespace); err != nil {
		t.Fatalf("%v\n%s", err, worker.Log())
	}
	for shape, kind := range timeShapes() {
		run, err := lastRun(t.Context(), h, kind)
		if err == nil {
			err = keepHistory(t.Context(), h, shape, run)
		}
		if err != nil {
			t.Errorf("%s: %v", shape, err)
		}
	}
}

// rehearsing names the stack's own binaries as a disposable control plane.
func rehearsing(c *config.Config) {
	planes, err := harness.Rehearsals()
	if err != nil {
		panic(err)
	}
	c.Rehearsal = planes
}

func liveThroughTime(ctx context.Context, h *harness.Harness, namespace string) error {
	for _, args := range [][]string{
		{"schedule", "create", "yearly", "--schedule", "@yearly", "--include-namespaces", namespace, "--rehearse", "always"},
		{"backup", "create", "old", "--include-namespaces", namespace, "--wait"},
		{"backup", "create", "kept", "--from-schedule", "yearly", "--wait"},
		{"backup", "set-expiry", "old", "0s"},
		{"backup", "verify", "--all", "--wait"},
		{"gc", "run"},
		{"backup", "rehearse", "kept", "--wait"},
		{"schedule", "trigger", "yearly"},
	} {
		if out, err := h.Run(ctx, args...); err != nil {
			return fmt.Errorf("lifeboat %v: %w: %s", args, err, out)
		}
	}
	err := until(ctx, "the triggered run has ended", func() (bool, error) {
		run, err := lastRun(ctx, h, contract.ScheduledBackupWorkflow)
		if err != nil {
			return false, nil //nolint:nilerr // not listed yet
		}
		return true, run.Get(ctx, nil)
	})
	if err != nil {
		return err
	}
	run, err := h.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: contract.RehearsalsID(h.Cluster) + ":now", TaskQueue: contract.TaskQueue(h.Cluster)},
		contract.RehearsalsWorkflow, contract.RehearseBackupsInput{After: config.RehearseNever})
	if err != nil {
		return err
	}
	return run.Get(ctx, nil)
}

// lastRun is the last run of a workflow that has completed.
func lastRun(ctx context.Context, h *harness.Harness, workflow string) (client.WorkflowRun, error) {
	list, err := h.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: 1, Query: fmt.Sprintf("WorkflowType = '%s' AND TaskQueue = '%s' AND ExecutionStatus = 'Completed'", workflow, contract.TaskQueue(h.Cluster)),
	})
	if err != nil {
		return nil, err
	}
	if len(list.GetExecutions()) == 0 {
		return nil, fmt.Errorf("no run of %s has completed", workflow)
	}
	e := list.GetExecutions()[0].GetExecution()
	return h.Temporal.GetWorkflow(ctx, e.GetWorkflowId(), e.GetRunId()), nil
}
