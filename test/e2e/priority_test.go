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
	var others []activityWait
	for _, b := range backups {
		if err := b.Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		others = append(others, activityWaits(t, l.Harness, b)...)
	}
	urgent, overtaken := activityWaits(t, l.Harness, run), 0
	for _, w := range urgent {
		// One may get the slot in the moment in which the restore asks; in the order of asking all that wait would.
		if before := begunDuring(others, w); before > 1 {
			t.Errorf("while an activity of the restore waited in %s, %d of the backups began", w.queue, before)
		}
	}
	for _, o := range others {
		if o.begun.After(urgent[len(urgent)-1].begun) {
			overtaken++
		}
	}
	if overtaken < len(others)/4 {
		t.Errorf("only %d of the backups' %d activities began after the restore's", overtaken, len(others))
	}
}

// activityWait is an activity from when it was asked for to when it began.
type activityWait struct {
	queue        string
	asked, begun time.Time
}

// begunDuring is how many activities got a slot of the queue in which another one waited.
func begunDuring(all []activityWait, w activityWait) (n int) {
	for _, o := range all {
		if o.queue == w.queue && o.begun.After(w.asked) && o.begun.Before(w.begun) {
			n++
		}
	}
	return n
}

// activityWaits are the activities of a run that has ended, in the order of their beginning.
func activityWaits(t *testing.T, h *harness.Harness, run client.WorkflowRun) (all []activityWait) {
	t.Helper()
	asked := map[int64]activityWait{}
	history := h.Temporal.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		at := e.GetEventTime().AsTime()
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			asked[e.GetEventId()] = activityWait{queue: a.GetTaskQueue().GetName(), asked: at}
		}
		if a := e.GetActivityTaskStartedEventAttributes(); a != nil {
			w := asked[a.GetScheduledEventId()]
			w.begun = at
			all = append(all, w)
		}
	}
	return all
}
