//go:build stack

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestOneNameTwice: two clusters share a bucket and take a backup of one name. The
// one that claimed it wins; whoever comes while it runs, or after, is told who won.
func TestOneNameTwice(t *testing.T) {
	t.Parallel()
	l := shared
	api, err := stack.NewProxy(l.Stack.APIServer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	prefix := "twins-" + l.ID
	first := l.Beside(t, harness.Options{Cluster: "twin-a", Prefix: prefix, API: api.Addr()}).Harness
	second := l.Beside(t, harness.Options{Cluster: "twin-b", Prefix: prefix}).Harness
	in := contract.BackupInput{Name: "same", Spec: velerov1.BackupSpec{IncludedNamespaces: []string{"kube-public"}}}

	api.Cut() // the first cannot go on
	winner := startBackup(t, first, in)
	// An attempt before the cut has locked the name.
	lock := repository.NameLock{UID: winner.GetRunID(), Run: contract.Run{WorkflowID: winner.GetID(), RunID: winner.GetRunID(), Cluster: first.Cluster, Started: time.Now()}}
	if err := repository.AcquireName(t.Context(), first.Store, "same", lock); err != nil {
		t.Fatal(err)
	}
	t.Run("while it runs, another cluster", func(t *testing.T) {
		kind, text := failure(t, second, startBackup(t, second, in))
		if kind != contract.ErrTypeExists || !strings.Contains(text, winner.GetID()) || !strings.Contains(text, "cluster "+first.Cluster) {
			t.Errorf("%s: %s", kind, text)
		}
	})
	t.Run("while it runs, the same cluster", func(t *testing.T) {
		res, err := first.CLI(t.Context(), "backup", "create", "same", "--wait")
		if err != nil || res.Code != 5 || !strings.Contains(res.Err, "already running since") || !strings.Contains(res.Err, winner.GetRunID()) {
			t.Errorf("exit %d, %v: %s%s", res.Code, err, res.Out, res.Err)
		}
	})
	t.Run("while it runs, by hand under another id", func(t *testing.T) {
		run, err := second.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "other-" + l.ID, TaskQueue: contract.TaskQueue(second.Cluster)}, contract.BackupWorkflow, in)
		if err != nil {
			t.Fatal(err)
		}
		kind, text := failure(t, second, run)
		if kind != contract.ErrTypeExists || !strings.Contains(text, winner.GetID()) {
			t.Errorf("%s: %s", kind, text)
		}
	})
	if err := api.Heal(); err != nil {
		t.Fatal(err)
	}
	var res contract.BackupResult
	if err := winner.Get(t.Context(), &res); err != nil {
		t.Fatalf("the winner: %v", err)
	}
	completed(t, res)
	t.Run("afterwards", func(t *testing.T) {
		res, err := second.CLI(t.Context(), "backup", "create", "same", "--wait")
		if err != nil || res.Code != 5 || !strings.Contains(res.Err, `backup "same" already exists`) || !strings.Contains(res.Err, "choose another name or delete it first") {
			t.Errorf("exit %d, %v: %s%s", res.Code, err, res.Out, res.Err)
		}
	})
	t.Run("at once", func(t *testing.T) { race(t, first, second) })
	if left := workingFiles(t, first.Store); len(left) > 0 {
		t.Errorf("left in the bucket: %v", left)
	}
}

// race starts both at the same moment, some times: exactly one wins each time.
func race(t *testing.T, first, second *harness.Harness) {
	for i := range 5 {
		in := contract.BackupInput{Name: fmt.Sprintf("race-%d", i), Spec: velerov1.BackupSpec{IncludedNamespaces: []string{"kube-public"}}}
		runs := []client.WorkflowRun{startBackup(t, first, in), startBackup(t, second, in)}
		won := 0
		for _, run := range runs {
			switch kind, text := failure(t, first, run); kind {
			case "":
				won++
				if text != "" {
					t.Errorf("%s: %s", run.GetID(), text)
				}
			case contract.ErrTypeExists:
			default:
				t.Errorf("%s: %s: %s", run.GetID(), kind, text)
			}
		}
		if won != 1 {
			t.Errorf("%s: %d winners", in.Name, won)
		}
		open(t, first, in.Name)
	}
}
