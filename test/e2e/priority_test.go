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
	urgent, during, after := activityWaits(t, l.Harness, run), 0, 0
	for _, b := range backups {
		if err := b.Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		for _, w := range activityWaits(t, l.Harness, b) {
			switch {
			case w.begun.After(urgent[len(urgent)-1].begun):
				after++
			case w.begun.After(urgent[0].asked):
				during++
			}
		}
	}
	// In the order of asking all that wait go before each activity of the restore, which ends last.
	// Between two of its activities some of the backups get the slot, for it has not asked for the next
	// one yet: how many depends on how busy Temporal is.
	if after <= during {
		t.Errorf("while the restore had %d activities, %d of the backups began, and %d after it", len(urgent), during, after)
	}
}

// activityWait is an activity from when it was asked for to when it began.
type activityWait struct{ asked, begun time.Time }

// activityWaits are the activities of a run that has ended, in the order of their beginning.
func activityWaits(t *testing.T, h *harness.Harness, run client.WorkflowRun) (all []activityWait) {
	t.Helper()
	asked := map[int64]time.Time{}
	history := h.Temporal.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		at := e.GetEventTime().AsTime()
		if e.GetActivityTaskScheduledEventAttributes() != nil {
			asked[e.GetEventId()] = at
		}
		if a := e.GetActivityTaskStartedEventAttributes(); a != nil {
			all = append(all, activityWait{asked[a.GetScheduledEventId()], at})
		}
	}
	return all
}
