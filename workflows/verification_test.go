package workflows_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func due(names ...string) contract.VerificationPlan {
	var plan contract.VerificationPlan
	for _, name := range names {
		plan.Due = append(plan.Due, contract.VerificationRow{Name: name, Location: "west", UID: "uid-" + name})
	}
	return plan
}

// newVerification answers with each plan in turn, then with an empty one. A backup whose name
// begins with "bad" is corrupt.
func newVerification(t *testing.T, in contract.VerifyBackupsInput, plans ...contract.VerificationPlan) *stage {
	t.Helper()
	s := newStage(t, contract.VerificationID(cluster))
	s.start = func() { s.env.ExecuteWorkflow(contract.VerifyBackupsWorkflow, in) }
	answer(s, contract.PlanVerification, after[contract.PlanVerificationInput](append(plans, contract.VerificationPlan{})...))
	answer(s, contract.VerifyStoredBackup, func(in contract.VerifyStoredInput) contract.VerifiedBackup {
		res := contract.VerifiedBackup{Name: in.Name, Location: in.Location, Outcome: contract.VerificationGood, Bytes: 10}
		if strings.HasPrefix(in.Name, "bad") {
			res.Outcome, res.Damage = contract.VerificationCorrupt, []contract.Damage{{What: "file", Found: "digest differs"}}
		}
		return res
	})
	return s
}

// verificationPhases has no clean-up: what was not verified stays due.
func verificationPhases() []phase {
	return []phase{{activity: contract.PlanVerification.Name}, {activity: contract.VerifyStoredBackup.Name}}
}

// TestVerificationPhases loses the activities. That a backup cannot be read ends no run.
func TestVerificationPhases(t *testing.T) {
	for _, p := range verificationPhases() {
		for _, f := range []fault{retried, lostWorker, final, givenUp, cancelled} {
			if p.activity == contract.VerifyStoredBackup.Name && (f == final || f == givenUp) {
				continue // see TestVerificationOfTheUnreadable
			}
			t.Run(p.activity+"/"+string(f), func(t *testing.T) {
				t.Parallel()
				p.test(t, f, verificationPhases(), func(t *testing.T) *stage {
					return newVerification(t, contract.VerifyBackupsInput{}, due("a"))
				})
			})
		}
	}
}

// TestVerification: one after the other, in the order of the plan, under its time.
func TestVerification(t *testing.T) {
	s := newVerification(t, contract.VerifyBackupsInput{}, due("a", "bad", "c"))
	s.lasts[contract.VerifyStoredBackup.Name] = func(int) time.Duration { return time.Minute }
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	res := resultOf[contract.VerificationResult](s)
	if res.Verified != 2 || res.Corrupt != 1 || res.Failed != 0 || res.Bytes != 30 || len(res.Backups) != 1 || res.Backups[0].Name != "bad" || res.Rounds != 1 {
		t.Errorf("%+v", res)
	}
	calls := s.callsOf(contract.VerifyStoredBackup.Name)
	for i, name := range []string{"a", "bad", "c"} {
		if in := calls[i].In.(contract.VerifyStoredInput); in.Name != name || in.UID != "uid-"+name || !in.Asked.Equal(startTime()) {
			t.Errorf("%+v", in)
		}
		if i > 0 && calls[i].Began.Before(calls[i-1].Ended) {
			t.Errorf("%s begins before %s has ended", name, calls[i-1].In)
		}
	}
}

// TestVerificationOfTheUnreadable: a backup that cannot be read keeps none of another location.
func TestVerificationOfTheUnreadable(t *testing.T) {
	for _, f := range []fault{final, givenUp} {
		plan := due("a", "b", "c")
		plan.Due[2].Location = "east"
		s := newVerification(t, contract.VerifyBackupsInput{}, plan)
		s.faults[contract.VerifyStoredBackup.Name] = f // the first of them
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
		res := resultOf[contract.VerificationResult](s)
		if res.Verified != 1 || res.Failed != 1 || len(res.Backups) != 1 || res.Backups[0].Outcome != contract.VerificationFailed || res.Backups[0].Note == "" {
			t.Errorf("%s: %+v", f, res)
		}
		if calls := s.callsOf(contract.VerifyStoredBackup.Name); len(calls) != 2 || calls[1].In.(contract.VerifyStoredInput).Name != "c" {
			t.Errorf("%s: %d calls", f, len(calls))
		}
	}
}

// A location that never answers is given up after minutes, not hours.
func TestVerificationGivesUp(t *testing.T) {
	s := newVerification(t, contract.VerifyBackupsInput{}, due("a"))
	s.faults[contract.VerifyStoredBackup.Name] = unmended
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if n := s.attemptsOf(contract.VerifyStoredBackup.Name); n != 20 {
		t.Errorf("%d attempts", n)
	}
}

// TestVerificationOfNamed: every named backup, also those that do not fit into one plan, with
// the outcome of each.
func TestVerificationOfNamed(t *testing.T) {
	first := due("a", "bad")
	first.MoreDue = 1
	s := newVerification(t, contract.VerifyBackupsInput{Names: []string{"a", "bad", "c"}, Location: "west"}, first, due("c"))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if res := resultOf[contract.VerificationResult](s); len(res.Backups) != 3 || res.Verified != 2 || res.Corrupt != 1 {
		t.Errorf("%+v", res)
	}
	plans := s.callsOf(contract.PlanVerification.Name)
	if last := plans[len(plans)-1].In.(contract.PlanVerificationInput); len(plans) != 2 || !slices.Equal(last.Names, []string{"c"}) || last.Location != "west" {
		t.Errorf("%d plans, the last of %+v", len(plans), last)
	}
}

// TestVerificationOfAll asks for what was not verified since the run began, until there is none.
func TestVerificationOfAll(t *testing.T) {
	first := due("a", "b")
	first.MoreDue = 1
	s := newVerification(t, contract.VerifyBackupsInput{All: true}, first, due("c"))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	plans := s.callsOf(contract.PlanVerification.Name)
	if in := plans[1].In.(contract.PlanVerificationInput); len(plans) != 2 || !in.NotSince.Equal(startTime()) {
		t.Errorf("%d plans, %+v", len(plans), in)
	}
	if res := resultOf[contract.VerificationResult](s); len(res.Backups) != 3 {
		t.Errorf("%+v", res)
	}
}

// TestVerificationOfADay looks every hour until midnight, here from two o'clock on. A plan that
// takes longer than an hour is made anew: what has come meanwhile may be due earlier.
func TestVerificationOfADay(t *testing.T) {
	s := newVerification(t, contract.VerifyBackupsInput{Hourly: true}, due("a", "b", "c"), due("c"))
	s.lasts[contract.VerifyStoredBackup.Name] = func(int) time.Duration { return 40 * time.Minute }
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	calls := s.callsOf(contract.VerifyStoredBackup.Name)
	if res := resultOf[contract.VerificationResult](s); len(calls) != 3 || res.Verified != 3 || res.Rounds != 20 {
		t.Errorf("%d verified, %+v", len(calls), res)
	}
}

// TestVerificationWithoutAPlan: a store that cannot be read costs a round and not the rest of the day.
func TestVerificationWithoutAPlan(t *testing.T) {
	for hour, fails := range map[int]bool{2: false, 23: true} {
		s := newVerification(t, contract.VerifyBackupsInput{Hourly: true}, due("a"))
		s.env.SetStartTime(time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC))
		s.faults[contract.PlanVerification.Name] = givenUp
		if err := s.run(); (err != nil) != fails {
			t.Fatalf("from %d o'clock: ends with %v", hour, err)
		}
		if fails {
			continue
		}
		if res := resultOf[contract.VerificationResult](s); res.Rounds != 22 || res.Verified != 1 {
			t.Errorf("from %d o'clock: %+v", hour, res)
		}
	}
}

// TestVerificationContinues: a run whose history grows long goes on in a new one, between two
// plans, and takes along what it has done and since when.
func TestVerificationContinues(t *testing.T) {
	s := newVerification(t, contract.VerifyBackupsInput{Hourly: true}, due("a", "bad"))
	s.env.SetContinueAsNewSuggested(true)
	var next *workflow.ContinueAsNewError
	if err := s.run(); !errors.As(err, &next) {
		t.Fatalf("ends with %v", err)
	}
	var in contract.VerifyBackupsInput
	if err := converter.GetDefaultDataConverter().FromPayloads(next.Input, &in); err != nil {
		t.Fatal(err)
	}
	if !in.Hourly || in.Done.Verified != 1 || in.Done.Corrupt != 1 || !in.Since.Equal(startTime()) {
		t.Errorf("goes on with %+v", in)
	}
}

// TestVerificationInBulk has a result that a payload can carry.
func TestVerificationInBulk(t *testing.T) {
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprint("bad", i))
	}
	s := newVerification(t, contract.VerifyBackupsInput{}, due(all...))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if res := resultOf[contract.VerificationResult](s); res.Corrupt != 200 || len(res.Backups) != 100 {
		t.Errorf("%d corrupt, %d named", res.Corrupt, len(res.Backups))
	}
}
