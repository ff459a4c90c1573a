package workflows_test

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Restores go before all else that waits for a slot, drills and then what can wait until tomorrow
// behind it; 0 is Temporal's default, which is 3. What has slots of its own needs none.
func TestPriorities(t *testing.T) {
	for name, tc := range map[string]struct {
		run  func(t *testing.T) *stage
		want int
	}{
		"backup":       {func(t *testing.T) *stage { return newBackup(t, backupPlan()) }, 0},
		"deletion":     {func(t *testing.T) *stage { return newDelete(t, deletePlan()) }, 0},
		"restore":      {newFullRestore, 1},
		"drill":        {newFullDrill, 4},
		"rehearsal":    {newRehearsal, 5},
		"rehearsals":   {func(t *testing.T) *stage { return newRehearsals(t, contract.RehearseBackupsInput{}) }, 5},
		"verification": {func(t *testing.T) *stage { return newVerification(t, contract.VerifyBackupsInput{}) }, 5},
		"garbage":      {func(t *testing.T) *stage { return newGarbage(t, contract.CollectGarbageInput{}) }, 5},
	} {
		s := tc.run(t)
		if err := s.run(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		checked := 0
		for _, c := range s.calls {
			if c.Options.TaskQueue == contract.PromptQueue(cluster) {
				continue
			}
			checked++
			if got := c.Options.Priority.PriorityKey; got != tc.want {
				t.Errorf("%s: %s has priority %d, want %d", name, c.Name, got, tc.want)
			}
		}
		if checked == 0 {
			t.Errorf("%s: no activity", name)
		}
	}
}

// TestPriorityOfChildren: what a collection deletes waits behind all else, as the collection itself does.
func TestPriorityOfChildren(t *testing.T) {
	s := newGarbage(t, contract.CollectGarbageInput{}, expired("old"))
	if err := s.run(); err != nil || len(s.child) == 0 {
		t.Errorf("%d deletions: %v", len(s.child), err)
	}
	for _, o := range s.child {
		if o.Priority.PriorityKey != 5 {
			t.Errorf("%s has priority %d", o.WorkflowID, o.Priority.PriorityKey)
		}
	}
}
