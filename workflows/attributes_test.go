package workflows_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// A workflow task that sets a search attribute which Temporal lacks fails for ever: a run goes
// without those, and sets the others.
func TestMissingSearchAttributes(t *testing.T) {
	s := newBackup(t, backupPlan())
	s.missing = []string{contract.SearchPhase, contract.SearchExpires, contract.SearchSchedule}
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	checkSearch(t, s, map[string]any{contract.SearchCluster: cluster, contract.SearchName: "nightly"})
	s = newBackup(t, backupPlan())
	s.missing = []string{contract.SearchCluster, contract.SearchName, contract.SearchPhase, contract.SearchExpires, contract.SearchSchedule}
	if err := s.run(); err != nil || s.search.Size() > 0 {
		t.Errorf("%v, set %v", err, s.search.GetUntypedValues())
	}
}

// Reads and clean-ups have slots that long work cannot take.
func TestPromptQueue(t *testing.T) {
	backup := newBackup(t, backupPlan())
	backup.faults[contract.SealBackup.Name] = final
	restore := newFullRestore(t)
	restore.faults[contract.ApplyTask.Name] = final
	catalog := newCatalog(t)
	catalog.read(0, urlOf("a"))
	for _, s := range []*stage{backup, restore, catalog} {
		_ = s.run() // each fails, or is cancelled in the end
		for _, c := range s.calls {
			want := ""
			if c.Name == contract.ReadCatalog.Name || strings.HasPrefix(c.Name, "Abandon") {
				want = contract.PromptQueue(cluster)
			}
			if got := c.Options.TaskQueue; got != want && (want != "" || got != contract.TaskQueue(cluster)) {
				t.Errorf("%s is in the queue %q, want %q", c.Name, got, want)
			}
		}
	}
}

// No activity of a drill takes a slot of the queue that backups and restores wait in, whatever it comes to.
func TestDrillQueue(t *testing.T) {
	failed := newFullDrill(t)
	failed.faults[contract.RunDrillAssertions.Name] = final
	for _, s := range []*stage{newFullDrill(t), failed} {
		_ = s.run()
		inOwn := 0
		for _, c := range s.calls {
			switch c.Options.TaskQueue {
			case contract.DrillQueue(cluster):
				inOwn++
			case contract.PromptQueue(cluster): // the end, which takes seconds
			default:
				t.Errorf("%s is in the queue %q", c.Name, c.Options.TaskQueue)
			}
		}
		if inOwn == 0 {
			t.Error("nothing is in the queue of drills")
		}
	}
}

// A wrong input says once what is wrong with it.
func TestWrongInput(t *testing.T) {
	for input, want := range map[string]string{
		`{"spec":{"ttl":"3 days"}}`:        `workflow input: spec.ttl: time: unknown unit " days" in duration "3 days" (fields are those of Velero's Backup and Restore specs)`,
		`{"spec":{"includNamespaces":[]}}`: `workflow input: spec.includNamespaces: json: unknown field "includNamespaces" (fields are those of Velero's Backup and Restore specs)`,
	} {
		s := newBackup(t, backupPlan())
		s.start = func() { s.env.ExecuteWorkflow(contract.BackupWorkflow, json.RawMessage(input)) }
		err := s.run()
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || app.Type() != contract.ErrTypeInvalid || app.Message() != want {
			t.Errorf("%s: %v", input, err)
		}
	}
}
