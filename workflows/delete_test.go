package workflows_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func deletePlan() contract.DeletePlan {
	return contract.DeletePlan{
		Name: "nightly", Location: "west", UID: "u-1", Files: 9, Snapshots: 3, Unread: []string{"volumeinfo: corrupt"},
	}
}

func newDelete(t *testing.T, plan contract.DeletePlan) *stage {
	t.Helper()
	in := contract.DeleteBackupInput{Name: "nightly", Location: "west"}
	s := newStage(t, contract.DeleteAtID(cluster, in.Name, in.Location))
	s.start = func() { s.env.ExecuteWorkflow(contract.DeleteBackupWorkflow, in) }
	answer(s, contract.PlanDelete, always[contract.DeleteBackupInput](plan))
	answer(s, contract.DeleteSnapshots, always[contract.DeletePlan](contract.SnapshotDeletion{
		Deleted: 2, Gone: 1, Retained: []string{"snap-1: locked"},
	}))
	answer(s, contract.DeleteFiles, always[contract.DeletePlan](contract.DeleteResult{
		Name: "nightly", Files: 9, Retained: []string{"nightly.tar.gz: locked"},
	}))
	return s
}

// deletePhases has no clean-up: the tombstone stays, and the next run goes on from it.
func deletePhases() []phase {
	return []phase{
		{activity: contract.PlanDelete.Name},
		{activity: contract.DeleteSnapshots.Name},
		{activity: contract.DeleteFiles.Name},
	}
}

func TestDeletePhases(t *testing.T) {
	testPhases(t, deletePhases(), func(t *testing.T) *stage { return newDelete(t, deletePlan()) })
}

func TestDelete(t *testing.T) {
	s := newDelete(t, deletePlan())
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	want := []step{
		{contract.PlanDelete.Name, contract.DeleteBackupInput{Name: "nightly", Location: "west"}},
		{contract.DeleteSnapshots.Name, deletePlan()},
		{contract.DeleteFiles.Name, deletePlan()},
	}
	if !reflect.DeepEqual(s.steps(), want) {
		t.Errorf("steps %+v, want %+v", s.steps(), want)
	}
	res := resultOf[contract.DeleteResult](s)
	if want := (contract.DeleteResult{
		Name: "nightly", Files: 9, Snapshots: 3,
		Retained: []string{"nightly.tar.gz: locked", "snap-1: locked", "volumeinfo: corrupt"},
	}); !reflect.DeepEqual(res, want) {
		t.Errorf("result %+v, want %+v", res, want)
	}
	if want := []string{"Deleting", "Deleted"}; !slices.Equal(s.phases, want) {
		t.Errorf("phases %q, want %q", s.phases, want)
	}
}

func TestDeleteWithoutSnapshots(t *testing.T) {
	s := newDelete(t, contract.DeletePlan{Name: "nightly", Location: "west", Files: 4})
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if want := []string{contract.PlanDelete.Name, contract.DeleteFiles.Name}; !slices.Equal(names(s.steps()), want) {
		t.Errorf("steps %q, want %q", names(s.steps()), want)
	}
}

func newExpired(t *testing.T) *stage {
	t.Helper()
	in := contract.DeleteBackupInput{Name: "nightly", Location: "west", UID: "u-1", ExpiredAt: startTime(), OneActivity: true}
	s := newStage(t, contract.DeleteAtID(cluster, in.Name, in.Location))
	s.start = func() { s.env.ExecuteWorkflow(contract.DeleteBackupWorkflow, in) }
	answer(s, contract.DeleteExpired, always[contract.DeleteBackupInput](contract.DeleteResult{Name: "nightly", Files: 9, Snapshots: 3, Retained: []string{"snap-1: locked"}}))
	return s
}

// expiredPhases has no clean-up, as deletePhases.
func expiredPhases() []phase { return []phase{{activity: contract.DeleteExpired.Name}} }

func TestDeleteExpiredPhases(t *testing.T) { testPhases(t, expiredPhases(), newExpired) }

// TestDeleteExpired is one activity, whose result is the run's.
func TestDeleteExpired(t *testing.T) {
	s := newExpired(t)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if got := names(s.steps()); !slices.Equal(got, []string{contract.DeleteExpired.Name}) {
		t.Errorf("steps %q", got)
	}
	want := contract.DeleteResult{Name: "nightly", Files: 9, Snapshots: 3, Retained: []string{"snap-1: locked"}}
	if res := resultOf[contract.DeleteResult](s); !reflect.DeepEqual(res, want) {
		t.Errorf("result %+v, want %+v", res, want)
	}
}
