//go:build stack

package e2e

import (
	"fmt"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestRestoreOvertakes: on a worker with one slot a restore that is asked for last goes before
// backups that wait, on a Temporal with priorities.
func TestRestoreOvertakes(t *testing.T) {
	t.Parallel()
	own := stack.Run(t, stack.Options{TemporalArgs: []string{"--dynamic-config-value", "matching.useNewMatcher=true"}})
	l := &lab{Lab: shared.On(t, own, harness.Options{Cluster: "slots", Edit: func(c *config.Config) { c.Limits.ConcurrentActivities = 1 }})}
	l.kubectl(t, "create", "namespace", "overtaken")
	spec := velerov1.BackupSpec{IncludedNamespaces: []string{"overtaken"}}
	completed(t, backup(t, l.Harness, "source", spec))
	l.Worker.Stop()

	const waiting = 8
	var backups []client.WorkflowRun
	for i := range waiting {
		backups = append(backups, startBackup(t, l.Harness, contract.BackupInput{Name: fmt.Sprintf("waits-%d", i), Spec: spec}))
	}
	run := startRestore(t, l.Harness, contract.RestoreInput{Name: "urgent", Spec: velerov1.RestoreSpec{
		BackupName: "source", NamespaceMapping: map[string]string{"overtaken": "overtaken-back"},
	}})
	l.ReplaceWorker(t)
	var res contract.RestoreResult
	if err := run.Get(t.Context(), &res); err != nil || res.Phase != "Completed" {
		t.Fatalf("%v, %s", err, res.Phase)
	}
	asked, ended, urgent := activityTimes(t, l.Harness, run)
	overtaken, before, all := 0, 0, 0
	for _, b := range backups {
		if err := b.Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		_, _, starts := activityTimes(t, l.Harness, b)
		for _, at := range starts {
			all++
			switch {
			case at.After(ended):
				overtaken++
			case at.After(asked):
				before++
			}
		}
	}
	// Between two activities of the restore one or two of backups get the slot, for it has not asked
	// for the next one yet; in the order of asking all that wait would go before each.
	if most := 2 * len(urgent); before > most || overtaken == 0 {
		t.Errorf("while the restore had %d activities, %d of the backups' %d began, and %d after it", len(urgent), before, all, overtaken)
	}
}

// activityTimes are when a run first asked for an activity, when it ended, and when its activities
// in the queue of long work began.
func activityTimes(t *testing.T, h *harness.Harness, run client.WorkflowRun) (asked, ended time.Time, starts []time.Time) {
	t.Helper()
	history := h.Temporal.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		ended = e.GetEventTime().AsTime()
		if e.GetActivityTaskScheduledEventAttributes() != nil && asked.IsZero() {
			asked = ended
		}
		if e.GetActivityTaskStartedEventAttributes() != nil {
			starts = append(starts, ended)
		}
	}
	return asked, ended, starts
}
