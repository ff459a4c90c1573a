package integrity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/integrity"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
)

func integrityOver(w *world, locations *repository.Locations) *integrity.Runner {
	return integrity.New("prod", locations, w.policy, nil)
}

func namesOf(rows []contract.VerificationRow) string {
	var names []string
	for _, r := range rows {
		names = append(names, r.Location+"/"+r.Name)
	}
	return strings.Join(names, " ")
}

// A cluster verifies its own backups and Velero's, the oldest first; failed ones have nothing
// to be verified.
func TestPlan(t *testing.T) {
	w := newWorld(t)
	w.storeBackup(t, "a", "uid-a", "prod", day(3))
	w.storeBackup(t, "foreign", "uid-f", "dev", day(1))
	w.storeVelero(t, "v")
	w.Set(layout.Backup{Name: "failed"}.Metadata(), []byte(`{"metadata":{"name":"failed","uid":"u"},"status":{"phase":"Failed"}}`))
	plan, err := w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: day(30)})
	if err != nil || namesOf(plan.Due) != "default/b default/v default/a" || plan.Backups != 3 || plan.Due[0].UID != "uid-b" {
		t.Fatalf("%+v, %v", plan, err)
	}
	if plan, err = w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: day(5)}); err != nil || len(plan.Due) != 0 {
		t.Errorf("%+v, %v", plan, err)
	}
	if plan, err = w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: day(5), NotSince: day(5)}); err != nil || len(plan.Due) != 3 {
		t.Errorf("all: %+v, %v", plan, err)
	}
}

// What was verified is due later, and what was found is counted.
func TestPlanAfterVerification(t *testing.T) {
	w := newWorld(t)
	w.Remove(layout.Backup{Name: "b"}.Logs())
	w.verify(t, "b", "uid-b")
	plan, err := w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: time.Now()})
	if err != nil || len(plan.Due) != 0 || plan.Corrupt != 1 {
		t.Errorf("%+v, %v", plan, err)
	}
	if plan, err = w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: time.Now(), NotSince: time.Now().Add(-time.Hour)}); err != nil || len(plan.Due) != 0 {
		t.Errorf("all that were not verified in the last hour: %+v, %v", plan, err)
	}
}

// A backup that was given more time has it here too, and one that expires soon comes first.
func TestPlanGoesByRetention(t *testing.T) {
	w := newWorld(t)
	w.storeBackup(t, "a", "uid-a", "prod", day(3))
	w.Set(layout.RetentionKey("a"), []byte(`{"name":"a","uid":"uid-a","expires":"2026-03-07T00:00:00Z"}`))
	plan, err := w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: day(6)})
	if err != nil || namesOf(plan.Due) != "default/a" || !plan.Due[0].Deadline.Equal(day(7)) {
		t.Errorf("%+v, %v", plan, err)
	}
}

// A bandwidth that is too small is told.
func TestPlanTooLate(t *testing.T) {
	w := newWorld(t)
	w.policy.Bandwidth = 1
	w.storeBackup(t, "a", "uid-a", "prod", day(3))
	w.Set(layout.RetentionKey("a"), []byte(`{"name":"a","uid":"uid-a","expires":"2026-03-04T01:00:00Z"}`))
	plan, err := w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: day(4)})
	if err != nil || namesOf(plan.Late) != "default/a" || plan.Needs < 2 || plan.Due[0].Seconds < 3600 {
		t.Errorf("%+v, %v", plan, err)
	}
}

func TestPlanNamed(t *testing.T) {
	w := newWorld(t)
	w.storeBackup(t, "foreign", "uid-f", "dev", day(1))
	plan, err := w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: day(2), Names: []string{"foreign", "b"}})
	if err != nil || namesOf(plan.Due) != "default/foreign default/b" || plan.Due[0].UID != "uid-f" {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := w.runner().Plan(t.Context(), contract.PlanVerificationInput{Names: []string{"b", "gone"}}); failure.TypeOf(err) != contract.ErrTypeNotFound {
		t.Errorf("%v", err)
	}
}

// A location that cannot be read hides no other.
func TestPlanBesideAnUnreadableLocation(t *testing.T) {
	w := newWorld(t)
	r := integrityOver(w, repositorytest.Locations(repositorytest.Stores{"default": nil, "west": w.Store}))
	plan, err := r.Plan(t.Context(), contract.PlanVerificationInput{Now: day(30)})
	if err != nil || namesOf(plan.Due) != "west/b" || len(plan.Unread) != 1 || plan.Unread[0].Name != "default" {
		t.Errorf("%+v, %v", plan, err)
	}
}
