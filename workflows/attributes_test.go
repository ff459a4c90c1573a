package workflows_test

import (
	"strings"
	"testing"

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
