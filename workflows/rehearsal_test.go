package workflows_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func newRehearsal(t *testing.T) *stage {
	t.Helper()
	in := contract.RehearseInput{Backup: "nightly", KubernetesVersion: "1.38"}
	s := newStage(t, contract.RehearseID(cluster, in.Backup))
	s.start = func() { s.env.ExecuteWorkflow(contract.RehearseWorkflow, in) }
	answerRehearsals(s)
	return s
}

func answerRehearsals(s *stage) {
	answer(s, contract.RehearseRestore, func(in contract.RehearseInput) contract.RehearsalResult {
		return contract.RehearsalResult{Backup: in.Backup, Level: contract.LevelEqual, Counts: contract.RehearsalCounts{Objects: 7, Equal: 7}}
	})
}

func rehearsalPhases() []phase { return []phase{{activity: contract.RehearseRestore.Name}} }

func TestRehearsalPhases(t *testing.T) { testPhases(t, rehearsalPhases(), newRehearsal) }

// TestRehearsal: it is tried five times, and not for hours.
func TestRehearsal(t *testing.T) {
	s := newRehearsal(t)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if res := resultOf[contract.RehearsalResult](s); res.Level != contract.LevelEqual || s.progress().Objects != 7 || !strings.Contains(s.progress().Step, "L2") {
		t.Errorf("%+v, %+v", res, s.progress())
	}
	s = newRehearsal(t)
	s.faults[contract.RehearseRestore.Name] = unmended
	if err := s.run(); err == nil || s.attemptsOf(contract.RehearseRestore.Name) != 5 {
		t.Errorf("%d attempts, then %v", s.attemptsOf(contract.RehearseRestore.Name), err)
	}
}

func unproven(names ...string) contract.RehearsalPlan {
	var plan contract.RehearsalPlan
	for _, name := range names {
		plan.Backups = append(plan.Backups, contract.RehearseInput{Backup: name, Location: "west"})
	}
	return plan
}

// newRehearsals answers with each plan in turn, then with an empty one.
func newRehearsals(t *testing.T, in contract.RehearseBackupsInput, plans ...contract.RehearsalPlan) *stage {
	t.Helper()
	s := newStage(t, contract.RehearsalsID(cluster))
	s.start = func() { s.env.ExecuteWorkflow(contract.RehearsalsWorkflow, in) }
	answer(s, contract.PlanRehearsals, after[contract.PlanRehearsalsInput](append(plans, contract.RehearsalPlan{})...))
	answerRehearsals(s)
	return s
}

func rehearsalsPhases() []phase { return []phase{{activity: contract.PlanRehearsals.Name}} }

func TestRehearsalsPhases(t *testing.T) {
	testPhases(t, rehearsalsPhases(), func(t *testing.T) *stage { return newRehearsals(t, contract.RehearseBackupsInput{}) })
}

// TestRehearsals: each new backup is rehearsed by a run of its own; one that cannot be keeps no
// other.
func TestRehearsals(t *testing.T) {
	s := newRehearsals(t, contract.RehearseBackupsInput{After: "weekly"}, unproven("a", "b", "c"))
	s.faults[contract.RehearseRestore.Name] = final // the first of them
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if res := resultOf[contract.RehearsedBackups](s); res != (contract.RehearsedBackups{Rehearsed: 2, Failed: 1}) {
		t.Errorf("%+v", res)
	}
	if in := s.callsOf(contract.PlanRehearsals.Name)[0].In.(contract.PlanRehearsalsInput); in.After != "weekly" || !in.Now.Equal(startTime()) {
		t.Errorf("planned by %+v", in)
	}
	var asked []string
	for _, c := range s.callsOf(contract.RehearseRestore.Name) {
		asked = append(asked, c.In.(contract.RehearseInput).Backup)
	}
	if !slices.Equal(asked, []string{"a", "b", "c"}) {
		t.Errorf("asked for %q", asked)
	}
}

// TestRehearsalsOfADay: the looks until midnight are one run, here from two o'clock on: a new
// backup waits for ten minutes at most. One that fails every time is given up on.
func TestRehearsalsOfADay(t *testing.T) {
	s := newRehearsals(t, contract.RehearseBackupsInput{Daily: true}, unproven("a"), unproven("a"), unproven("a"), unproven("a"), unproven("a"))
	s.faults[contract.RehearseRestore.Name] = unmended
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if res := resultOf[contract.RehearsedBackups](s); res != (contract.RehearsedBackups{Failed: 3}) {
		t.Errorf("%+v", res)
	}
	looks := 0
	for _, w := range s.waits {
		if w == 10*time.Minute {
			looks++
		}
	}
	if looks < 120 || looks > 132 {
		t.Errorf("%d waits of ten minutes in 22 hours", looks)
	}
}

// TestRehearsalsContinue: a run whose history grows long goes on in a new one.
func TestRehearsalsContinue(t *testing.T) {
	s := newRehearsals(t, contract.RehearseBackupsInput{Daily: true}, unproven("a"))
	s.env.SetContinueAsNewSuggested(true)
	var next *workflow.ContinueAsNewError
	if err := s.run(); !errors.As(err, &next) {
		t.Fatalf("ends with %v", err)
	}
	var in contract.RehearseBackupsInput
	if err := converter.GetDefaultDataConverter().FromPayloads(next.Input, &in); err != nil {
		t.Fatal(err)
	}
	if !in.Daily || in.Done.Rehearsed != 1 {
		t.Errorf("goes on with %+v", in)
	}
}

// TestRehearsalsOverMidnight: a rehearsal that goes on over midnight keeps the schedule from starting the run
// of the new day, and so the run that is there looks on until the next midnight.
func TestRehearsalsOverMidnight(t *testing.T) {
	s := newRehearsals(t, contract.RehearseBackupsInput{Daily: true})
	late := time.Date(2026, 3, 1, 23, 40, 0, 0, time.UTC)
	s.env.SetStartTime(late)
	answer(s, contract.PlanRehearsals, after[contract.PlanRehearsalsInput](unproven("a"), contract.RehearsalPlan{}))
	s.lasts[contract.RehearseRestore.Name] = func(int) time.Duration { return 25 * time.Minute }
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	looks := s.callsOf(contract.PlanRehearsals.Name)
	last := looks[len(looks)-1].Began
	if midnight := time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC); last.Before(midnight.Add(-20*time.Minute)) || !last.Before(midnight) {
		t.Errorf("%d looks, the last at %s", len(looks), last)
	}
	if len(looks) < 2 || looks[1].Began.Sub(late) > 40*time.Minute {
		t.Errorf("%d looks; the second comes late", len(looks))
	}
}
