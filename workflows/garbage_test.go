package workflows_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func expired(names ...string) contract.GarbagePlan {
	var plan contract.GarbagePlan
	for _, name := range names {
		plan.Delete = append(plan.Delete, contract.GarbageRow{Name: name, Location: "west", Place: "p-1", UID: "uid-" + name, Expired: startTime()})
	}
	return plan
}

// newGarbage answers with each plan in turn, then with an empty one. Every deletion works.
func newGarbage(t *testing.T, in contract.CollectGarbageInput, plans ...contract.GarbagePlan) *stage {
	t.Helper()
	s := newStage(t, contract.GarbageID(cluster))
	s.start = func() { s.env.ExecuteWorkflow(contract.GarbageWorkflow, in) }
	answer(s, contract.PlanGarbage, after[contract.PlanGarbageInput](append(plans, contract.GarbagePlan{})...))
	answer(s, contract.PlanOrphans, always[contract.PlanOrphansInput](contract.OrphanPlan{}))
	answer(s, contract.RecordGarbage, always[contract.GarbageTry](contract.Nothing{}))
	answer(s, contract.DeleteExpired, func(in contract.DeleteBackupInput) contract.DeleteResult {
		return contract.DeleteResult{Name: in.Name, Files: 9, Snapshots: 2}
	})
	return s
}

// garbagePhases has no clean-up: what is not deleted is found again.
func garbagePhases() []phase {
	return append([]phase{{activity: contract.PlanGarbage.Name}, {activity: contract.RecordGarbage.Name}}, orphanPhases()...)
}

// orphanPhases are those whose loss keeps nothing else from being done.
func orphanPhases() []phase {
	return []phase{{activity: contract.PlanOrphans.Name}, {activity: contract.RemoveOrphans.Name}}
}

// TestGarbagePhases loses the activities of a collection of which one deletion is refused.
func TestGarbagePhases(t *testing.T) {
	known := slices.Concat(garbagePhases(), expiredPhases())
	for _, p := range garbagePhases()[:2] {
		faults := []fault{retried, lostWorker, final, givenUp, cancelled}
		if p.activity == contract.RecordGarbage.Name {
			faults = []fault{retried, lostWorker, cancelled} // TestGarbageThatCannotBeRecorded has the others
		}
		for _, f := range faults {
			t.Run(p.activity+"/"+string(f), func(t *testing.T) {
				t.Parallel()
				p.test(t, f, known, func(t *testing.T) *stage {
					s := newGarbage(t, contract.CollectGarbageInput{}, expired("a"))
					s.faults[contract.DeleteExpired.Name] = final
					return s
				})
			})
		}
	}
}

// TestGarbage: each expired backup is deleted by a run of its own, under conditions.
func TestGarbage(t *testing.T) {
	s := newGarbage(t, contract.CollectGarbageInput{}, expired("a", "b"))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	var asked []contract.DeleteBackupInput
	for _, c := range s.callsOf(contract.DeleteExpired.Name) {
		asked = append(asked, c.In.(contract.DeleteBackupInput))
	}
	slices.SortFunc(asked, func(a, b contract.DeleteBackupInput) int { return strings.Compare(a.Name, b.Name) })
	want := []contract.DeleteBackupInput{
		{Name: "a", Location: "west", UID: "uid-a", ExpiredAt: startTime(), OneActivity: true, Place: "p-1", Within: 15 * time.Minute},
		{Name: "b", Location: "west", UID: "uid-b", ExpiredAt: startTime(), OneActivity: true, Place: "p-1", Within: 15 * time.Minute},
	}
	if !reflect.DeepEqual(asked, want) {
		t.Errorf("asked to delete %+v", asked)
	}
	if res := resultOf[contract.GarbageResult](s); res.Deleted != 2 || res.Files != 18 || res.Snapshots != 4 || res.Failed != 0 || res.Rounds != 1 {
		t.Errorf("%+v", res)
	}
}

// TestGarbageThatStays: a backup that cannot be deleted keeps no other, and is recorded.
func TestGarbageThatStays(t *testing.T) {
	s := newGarbage(t, contract.CollectGarbageInput{}, expired("a", "b", "c"))
	s.faults[contract.DeleteExpired.Name] = final // the first of them
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	res := resultOf[contract.GarbageResult](s)
	if res.Deleted != 2 || res.Failed != 1 || len(res.Errors) != 1 || !strings.Contains(res.Errors[0].Error, "forbidden") {
		t.Errorf("%+v", res)
	}
	records := s.callsOf(contract.RecordGarbage.Name)
	if len(records) != 1 || !reflect.DeepEqual(records[0].In, res.Errors[0]) {
		t.Errorf("recorded %+v", records)
	}
}

// regionAway has no deletion of the location west answered: each attempt takes four minutes, as the
// AWS SDK's own requests do, and ends by a refused connection, or by err.
func regionAway(s *stage, err error) {
	west := func(in contract.DeleteBackupInput) bool { return in.Location == "west" }
	s.env.OnActivity(contract.DeleteExpired.Name, mock.Anything, mock.MatchedBy(west)).After(4*time.Minute).Return(contract.DeleteResult{}, err)
	s.env.OnActivity(contract.DeleteExpired.Name, mock.Anything, mock.Anything).Return(contract.DeleteResult{Files: 9}, nil)
}

// TestGarbageOfARegionThatIsAway: forty backups of a Region that does not answer, or refuses, are the
// oldest. Each has one try, those of another go in the same run, and so do the orphans.
func TestGarbageOfARegionThatIsAway(t *testing.T) {
	for name, err := range map[string]error{
		"unreachable": temporal.NewApplicationError("connection refused", "Unavailable"),
		"final":       temporal.NewNonRetryableApplicationError("forbidden", contract.ErrTypeDenied, nil),
	} {
		t.Run(name, func(t *testing.T) {
			var plan contract.GarbagePlan
			for i := range 80 {
				row := contract.GarbageRow{Name: fmt.Sprint("b", i), Location: "west", UID: fmt.Sprint("u", i), Expired: startTime()}
				if i >= 40 {
					row.Location = "east"
				}
				plan.Delete = append(plan.Delete, row)
			}
			s := newGarbage(t, contract.CollectGarbageInput{}, plan)
			regionAway(s, err)
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			res := resultOf[contract.GarbageResult](s)
			if res.Deleted != 40 || res.Failed != 40 || len(s.callsOf(contract.RecordGarbage.Name)) != 40 || len(s.callsOf(contract.DeleteExpired.Name)) != 80 {
				t.Errorf("%d deleted, %d failed, %d recorded", res.Deleted, res.Failed, len(s.callsOf(contract.RecordGarbage.Name)))
			}
			if took := s.env.Now().Sub(startTime()); took > time.Hour || len(s.callsOf(contract.PlanOrphans.Name)) != 1 {
				t.Errorf("the run took %s, orphans were looked for %d times", took, len(s.callsOf(contract.PlanOrphans.Name)))
			}
		})
	}
}

// TestGarbageThatCannotBeRecorded: where a location cannot even be written to, the next plan is that
// of the next round, others are deleted, orphans looked for, and the result says so.
func TestGarbageThatCannotBeRecorded(t *testing.T) {
	for _, f := range []fault{final, givenUp, unmended} {
		t.Run(string(f), func(t *testing.T) {
			plan := expired("a", "b")
			plan.MoreDelete = 1
			stuck := expired("a")
			stuck.MoreDelete = 1
			s := newGarbage(t, contract.CollectGarbageInput{}, plan, stuck)
			s.env.OnActivity(contract.DeleteExpired.Name, mock.Anything, mock.MatchedBy(func(in contract.DeleteBackupInput) bool { return in.Name == "a" })).
				Return(contract.DeleteResult{}, temporal.NewNonRetryableApplicationError("forbidden", contract.ErrTypeDenied, nil))
			s.env.OnActivity(contract.DeleteExpired.Name, mock.Anything, mock.Anything).Return(contract.DeleteResult{Files: 9}, nil)
			s.env.OnActivity(contract.RecordGarbage.Name, mock.Anything, mock.Anything).Return(contract.Nothing{}, f.failure(contract.RecordGarbage.Name, 1))
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			res := resultOf[contract.GarbageResult](s)
			if res.Deleted != 1 || res.Failed != 2 || len(res.Errors) != 1 || !strings.Contains(res.Errors[0].Error, "could not be recorded") || len(s.callsOf(contract.PlanOrphans.Name)) != 1 {
				t.Errorf("%+v", res)
			}
			if took := s.env.Now().Sub(startTime()); took > 10*time.Minute {
				t.Errorf("the run took %s", took)
			}
		})
	}
}

func TestGarbageDryRun(t *testing.T) {
	s := newGarbage(t, contract.CollectGarbageInput{DryRun: true}, expired("a"))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if got := names(s.steps()); !slices.Equal(got, []string{contract.PlanGarbage.Name, contract.PlanOrphans.Name}) {
		t.Errorf("steps %q", got)
	}
	if res := resultOf[contract.GarbageResult](s); len(res.Plan.Delete) != 1 {
		t.Errorf("%+v", res)
	}
}

// TestGarbageOfADay: the hourly rounds until midnight are one run, here from two o'clock
// on, and a plan that leaves some out is followed by the next without a wait.
func TestGarbageOfADay(t *testing.T) {
	many := expired("a", "b")
	many.MoreDelete = 1
	s := newGarbage(t, contract.CollectGarbageInput{Hourly: true}, many, expired("c"))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if res := resultOf[contract.GarbageResult](s); res.Rounds != 22 || res.Deleted != 3 {
		t.Errorf("%+v", res)
	}
	if len(s.waits) != 21 || s.waits[0] != time.Hour || len(s.callsOf(contract.PlanGarbage.Name)) != 23 {
		t.Errorf("%d waits, %d plans", len(s.waits), len(s.callsOf(contract.PlanGarbage.Name)))
	}
}

// TestGarbageOverMidnight: a round that midnight finds at work goes on for the day that has begun,
// whose own run the schedule has left out.
func TestGarbageOverMidnight(t *testing.T) {
	s := newGarbage(t, contract.CollectGarbageInput{Hourly: true}, expired("a"))
	s.env.SetStartTime(time.Date(2026, 3, 1, 23, 50, 0, 0, time.UTC))
	s.lasts[contract.DeleteExpired.Name] = func(int) time.Duration { return 20 * time.Minute }
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	plans := s.callsOf(contract.PlanGarbage.Name)
	for i, c := range plans[1:] {
		if gap := c.Began.Sub(plans[i].Began); gap > 2*time.Hour {
			t.Errorf("no plan for %s before %s", gap, c.Began)
		}
	}
	if end, want := s.env.Now().UTC(), time.Date(2026, 3, 2, 23, 10, 0, 0, time.UTC); !end.Equal(want) {
		t.Errorf("ended at %s, want %s", end, want)
	}
}

// TestGarbageContinues: a run whose history grows long goes on in a new one, between two
// plans, and takes along what it has done.
func TestGarbageContinues(t *testing.T) {
	s := newGarbage(t, contract.CollectGarbageInput{Hourly: true}, expired("a", "b"))
	s.env.SetContinueAsNewSuggested(true)
	var next *workflow.ContinueAsNewError
	if err := s.run(); !errors.As(err, &next) {
		t.Fatalf("ends with %v", err)
	}
	var in contract.CollectGarbageInput
	if err := converter.GetDefaultDataConverter().FromPayloads(next.Input, &in); err != nil {
		t.Fatal(err)
	}
	if !in.Hourly || in.Done.Deleted != 2 || in.Done.Rounds != 1 {
		t.Errorf("goes on with %+v", in)
	}
}

// TestGarbageInBulk has eight deletions under way, never more.
func TestGarbageInBulk(t *testing.T) {
	var all []string
	for i := range 40 {
		all = append(all, fmt.Sprint("b", i))
	}
	s := newGarbage(t, contract.CollectGarbageInput{}, expired(all...))
	s.lasts[contract.DeleteExpired.Name] = func(int) time.Duration { return time.Minute }
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if res := resultOf[contract.GarbageResult](s); res.Deleted != 40 {
		t.Errorf("%+v", res)
	}
	calls, most := s.callsOf(contract.DeleteExpired.Name), 0
	for _, c := range calls {
		open := 0
		for _, other := range calls {
			if !other.Began.After(c.Began) && other.Ended.After(c.Began) {
				open++
			}
		}
		most = max(most, open)
	}
	if most != 8 {
		t.Errorf("%d deletions at once", most)
	}
}

// orphansOf is a plan of so many, and more that it leaves out.
func orphansOf(n, more int) contract.OrphanPlan {
	plan := contract.OrphanPlan{MoreRemove: more}
	for i := range n {
		plan.Remove = append(plan.Remove, contract.Orphan{Kind: contract.OrphanSnapshot, ID: fmt.Sprintf("snap-%d", i)})
	}
	return plan
}

// newOrphans finds the orphans of each plan in turn. All but the first of each list go.
func newOrphans(t *testing.T, in contract.CollectGarbageInput, plans ...contract.OrphanPlan) *stage {
	t.Helper()
	s := newGarbage(t, in, contract.GarbagePlan{})
	answer(s, contract.PlanOrphans, after[contract.PlanOrphansInput](append(plans, contract.OrphanPlan{})...))
	answer(s, contract.RemoveOrphans, func(in contract.RemoveOrphansInput) contract.OrphanResult {
		kept := in.Orphans[0]
		kept.Reason = "locked"
		return contract.OrphanResult{Removed: len(in.Orphans) - 1, Gone: in.Orphans[1:], Kept: []contract.Orphan{kept}}
	})
	return s
}

// TestOrphans: they are removed in parts, after the expired backups; a plan that leaves some out
// is followed by the next, and what stays is told.
func TestOrphans(t *testing.T) {
	s := newOrphans(t, contract.CollectGarbageInput{Cluster: "gone"}, orphansOf(60, 3), orphansOf(3, 0))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if got := names(s.steps()); !slices.Equal(got, []string{"PlanGarbage", "PlanOrphans", "RemoveOrphans", "RemoveOrphans", "PlanOrphans", "RemoveOrphans"}) {
		t.Errorf("steps %q", got)
	}
	if res := resultOf[contract.GarbageResult](s); res.Removed != 49+9+2 || len(res.Orphans.Remove) > 0 || len(res.Orphans.Keep) != 1 || res.Orphans.Keep[0].Reason != "locked" || len(res.Gone) != res.Removed || res.Gone[0].ID != "snap-1" {
		t.Errorf("%+v", res)
	}
	in := s.callsOf(contract.RemoveOrphans.Name)[0].In.(contract.RemoveOrphansInput)
	if len(in.Orphans) != 50 || in.Cluster != "gone" || in.Run.WorkflowID != contract.GarbageID(cluster) || in.Run.RunID == "" {
		t.Errorf("%+v", in)
	}
	if in := s.callsOf(contract.PlanGarbage.Name)[0].In.(contract.PlanGarbageInput); in.Cluster != "gone" {
		t.Errorf("%+v", in)
	}
}

// TestOrphansThatStay: a plan of which nothing can be removed is not made again at once.
func TestOrphansThatStay(t *testing.T) {
	s := newOrphans(t, contract.CollectGarbageInput{}, orphansOf(1, 3))
	if err := s.run(); err != nil || len(s.callsOf(contract.PlanOrphans.Name)) != 1 {
		t.Errorf("%v, %q", err, names(s.steps()))
	}
}

// TestOrphanPhases: a search or a removal that fails is told, and nothing else fails by it.
func TestOrphanPhases(t *testing.T) {
	for _, p := range orphanPhases() {
		for _, f := range []fault{retried, lostWorker} {
			t.Run(p.activity+"/"+string(f), func(t *testing.T) {
				t.Parallel()
				p.test(t, f, garbagePhases(), func(t *testing.T) *stage { return newOrphans(t, contract.CollectGarbageInput{}, orphansOf(2, 0)) })
			})
		}
		for _, f := range []fault{final, givenUp} {
			t.Run(p.activity+"/"+string(f), func(t *testing.T) {
				t.Parallel()
				s := newOrphans(t, contract.CollectGarbageInput{}, orphansOf(2, 0))
				s.faults[p.activity] = f
				if err := s.run(); err != nil {
					t.Fatal(err)
				}
				if res := resultOf[contract.GarbageResult](s); res.Rounds != 1 || res.Removed != 0 || len(res.Orphans.Unread) != 1 {
					t.Errorf("%+v", res)
				}
			})
		}
		t.Run(p.activity+"/cancelled", func(t *testing.T) {
			t.Parallel()
			s := newOrphans(t, contract.CollectGarbageInput{}, orphansOf(2, 0))
			s.faults[p.activity] = cancelled
			if err := s.run(); !temporal.IsCanceledError(err) {
				t.Errorf("ends with %v", err)
			}
		})
	}
}

// TestGarbageWithoutAPlan: a store that cannot be read, or refuses, costs a round and not the rest of
// the day, whose next run the schedule begins at midnight only. A day that ends without a plan has failed.
func TestGarbageWithoutAPlan(t *testing.T) {
	for name, c := range map[string]struct {
		hour   int // of the start
		fault  fault
		rounds int
		fails  bool
	}{
		"refused":              {2, final, 22, false},
		"away for hours":       {2, givenUp, 22, false},
		"refused at the last":  {23, final, 1, true},
		"given up at the last": {23, givenUp, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newGarbage(t, contract.CollectGarbageInput{Hourly: true}, expired("a"))
			s.env.SetStartTime(time.Date(2026, 3, 1, c.hour, 0, 0, 0, time.UTC))
			s.faults[contract.PlanGarbage.Name] = c.fault
			err := s.run()
			if (err != nil) != c.fails {
				t.Fatalf("ends with %v", err)
			}
			if c.fails {
				return
			}
			if res := resultOf[contract.GarbageResult](s); res.Rounds != c.rounds || len(res.Plan.Unread) > 0 {
				t.Errorf("%+v", res)
			}
		})
	}
}

// TestGarbageOfAMonth: thirty days leave a row a day in the list of runs: a run is of a day,
// whatever it continues as.
func TestGarbageOfAMonth(t *testing.T) {
	rows := 0
	for at := startTime(); at.Before(startTime().Add(30 * 24 * time.Hour)); rows++ {
		s := newGarbage(t, contract.CollectGarbageInput{Hourly: true}, contract.GarbagePlan{})
		s.env.SetStartTime(at)
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
		next := s.env.Now().Truncate(24 * time.Hour).Add(24 * time.Hour) // the schedule's
		if next.Sub(at) > 24*time.Hour || s.env.Now().After(next) {
			t.Fatalf("the run that began at %s ended at %s", at, s.env.Now())
		}
		at = next
	}
	if rows > 31 {
		t.Errorf("%d rows", rows)
	}
}

// TestRowsOfAMonth: thirty days of hourly collections and verifications, in which a nightly, a weekly
// and a monthly backup expire as often as they are made, leave fewer than 100 runs in Temporal's
// list, those of the deletions included.
func TestRowsOfAMonth(t *testing.T) {
	rows, rounds := 0, 0
	for day := range 30 {
		plans := make([]contract.GarbagePlan, 24)
		plans[2] = expired(fmt.Sprint("daily-", day))
		if day%7 == 0 {
			plans[3] = expired(fmt.Sprint("weekly-", day))
		}
		if day == 0 {
			plans[4] = expired("monthly")
		}
		s := newGarbage(t, contract.CollectGarbageInput{Hourly: true}, plans...)
		s.env.SetOnChildWorkflowStartedListener(func(*workflow.Info, workflow.Context, converter.EncodedValues) { rows++ })
		if err := s.run(); err != nil { // a run that continues as new is one more row, and an error here
			t.Fatal(err)
		}
		rows++
		rounds += resultOf[contract.GarbageResult](s).Rounds
		v := newVerification(t, contract.VerifyBackupsInput{Hourly: true}, due(fmt.Sprint("daily-", day)))
		if err := v.run(); err != nil {
			t.Fatal(err)
		}
		rows++
	}
	if rows != 30+30+5+1+30 || rows > 100 || rounds < 30*12 {
		t.Errorf("%d rows, %d rounds", rows, rounds)
	}
}
