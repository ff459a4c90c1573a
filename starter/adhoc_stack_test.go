//go:build stack

package main

import (
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

// A backup that somebody starts by hand, under an id of their own, is found by
// its name like any other.
func TestStartedByHand(t *testing.T) {
	s := newSite(t)
	c, err := client.Dial(client.Options{HostPort: s.address, Namespace: s.namespace})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	opts := client.StartWorkflowOptions{ID: "adhoc-" + s.name, TaskQueue: contract.TaskQueue(s.name)}
	if _, err := c.ExecuteWorkflow(t.Context(), opts, contract.BackupWorkflow, map[string]any{
		"name": "seven", "spec": map[string]any{"includedNamespaces": []string{"shop"}},
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		_, stdout, _ := s.lifeboat(t.Context(), "backup", "get")
		return stdout
	}, "seven", "InProgress")
	_, stdout, _ := s.lifeboat(t.Context(), "backup", "describe", "seven")
	has(t, stdout, "InProgress", "adhoc-"+s.name)
	close(s.hold)
	code, stdout, stderr := s.lifeboat(t.Context(), "backup", "wait", "seven")
	if code != console.CodeDone {
		t.Errorf("code %d\n%s", code, stderr)
	}
	has(t, stdout, `Backup "seven" Completed`)
}

// While its worker is away a run is still described, and says what it waits for.
func TestDescribeWithoutWorker(t *testing.T) {
	s := newSite(t)
	if code, _, stderr := s.lifeboat(t.Context(), "backup", "create", "eight"); code != console.CodeDone {
		t.Fatalf("code %d\n%s", code, stderr)
	}
	close(s.hold)
	s.stop()
	if code, _, stderr := s.lifeboat(t.Context(), "backup", "create", "nine"); code != console.CodeDone {
		t.Fatalf("code %d\n%s", code, stderr)
	}
	code, stdout, stderr := s.lifeboat(t.Context(), "backup", "describe", "nine")
	if code != console.CodeDone {
		t.Errorf("code %d\n%s", code, stderr)
	}
	has(t, stdout, "Phase:", "New", "Held up by:", "has not answered for 4s: busy, and the run goes on; or gone, and the run goes on with the next")
	s.startWorker()
	if code, _, stderr := s.lifeboat(t.Context(), "backup", "wait", "nine"); code != console.CodeDone {
		t.Errorf("code %d\n%s", code, stderr)
	}
}
