package workflows_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

func drillInput() contract.DrillInput {
	return contract.DrillInput{Name: "shop", Spec: definition.Spec{
		Source: definition.Source{Schedule: "nightly"}, Assertions: []definition.Assertion{{Name: "orders"}},
	}}
}

func drillPlan() contract.DrillPlan {
	return contract.DrillPlan{
		ID: runUID, Backup: "nightly", Location: "west", Ready: 10 * time.Minute, Read: 30 * time.Minute, Most: 4 * time.Hour, Assertions: 1,
		Restore: contract.RestoreInput{Name: "drill-x", Location: "west"},
	}
}

func drillRef() contract.DrillRef { return contract.DrillRef{ID: runUID, Restore: restoreRef()} }

func ready(good int) contract.DrillReady {
	return contract.DrillReady{Workloads: contract.DrillCheck{Checked: 2, Good: good, Detail: "deployment web"}}
}

// newDrill answers with one of everything.
func newDrill(t *testing.T, plan contract.DrillPlan) *stage {
	t.Helper()
	restored := restorePlan()
	restored.Levels = restored.Levels[1:]
	s := newRestore(t, plan.Restore, restored)
	s.start = func() { s.env.ExecuteWorkflow(contract.DrillWorkflow, drillInput()) }
	answer(s, contract.PrepareDrill, always[contract.PrepareDrillInput](plan))
	answer(s, contract.RemoveLostDrills, after[contract.TearDownInput](oneNamespace(), contract.DrillRemains{}))
	answer(s, contract.VerifyDrillBytes, always[contract.CheckDrillInput](contract.DrillBytes{Files: 3}))
	answer(s, contract.IsolateDrill, always[contract.IsolateDrillInput](contract.Nothing{}))
	answer(s, contract.AccountDrill, always[contract.CheckDrillInput](contract.DrillObjects{Total: 3, Equal: 3}))
	answer(s, contract.CheckDrillReady, after[contract.CheckDrillInput](ready(1), ready(2)))
	answer(s, contract.RunDrillAssertions, always[contract.AssertDrillInput](contract.DrillAssertions{Results: []evidence.Assertion{{Name: "orders", Outcome: evidence.Held}}}))
	answer(s, contract.ReadDrillVolumes, after[contract.ReadVolumesInput](contract.DrillReading{Data: 2, Through: 1, Going: 1}, contract.DrillReading{Data: 2, Through: 2}))
	answer(s, contract.RunDrillControl, always[contract.AssertDrillInput](contract.DrillControl{Faults: []evidence.Fault{{Check: "L4", Detected: true}}}))
	answer(s, contract.TearDownDrill, after[contract.TearDownInput](oneNamespace(), contract.DrillRemains{}))
	answer(s, contract.SignDrill, func(in contract.SignDrillInput) contract.DrillResult {
		res := contract.DrillResult{ID: in.Run.RunID, Name: in.Drill.Name, Backup: in.Plan.Backup, Level: "L5", Verdict: "passed", Kept: in.Teardown.Kept}
		if in.Aborted != "" {
			res.Verdict = "failed"
		}
		return res
	})
	return s
}

func oneNamespace() contract.DrillRemains {
	return contract.DrillRemains{
		Types: []contract.DrillRemain{{Type: "namespaces", Found: 1}},
		Names: []evidence.Leftover{{Type: "namespaces", Name: "restore-test-shop", Detail: "finalizers [kubernetes]"}},
	}
}

func newFullDrill(t *testing.T) *stage { return newDrill(t, drillPlan()) }

// drillPhases: whatever is lost, the copy is removed, the evidence written and staging cleared.
func drillPhases() []phase {
	ends := func(ref contract.DrillRef, staging contract.RestoreRef) []step {
		return []step{
			{contract.TearDownDrill.Name, contract.TearDownInput{Ref: ref}},
			{contract.TearDownDrill.Name, contract.TearDownInput{Ref: ref}},
			{contract.SignDrill.Name, contract.SignDrillInput{Plan: drillPlan()}},
			{contract.AbandonRestore.Name, contract.AbandonRestoreInput{Ref: staging}},
		}
	}
	unopened := ends(contract.DrillRef{ID: runUID}, contract.RestoreRef{Name: "drill-x", UID: runUID, Location: "west"})
	opened := ends(drillRef(), restoreRef())
	phases := []phase{
		{activity: contract.PrepareDrill.Name},
		{activity: contract.RemoveLostDrills.Name, cleanUp: unopened},
		{activity: contract.OpenArchive.Name, cleanUp: unopened},
	}
	for _, name := range []string{
		contract.VerifyDrillBytes.Name, contract.PlanRestore.Name, contract.IsolateDrill.Name, contract.RestoreVolumes.Name, contract.ApplyTask.Name,
		contract.RelinkOwners.Name, contract.AccountDrill.Name, contract.RunRestoreHooks.Name, contract.PatchVolumes.Name, contract.CheckDrillReady.Name,
		contract.RunDrillAssertions.Name, contract.ReadDrillVolumes.Name, contract.RunDrillControl.Name,
	} {
		phases = append(phases, phase{activity: name, cleanUp: opened})
	}
	return append(phases,
		phase{activity: contract.TearDownDrill.Name, cleanUp: opened[2:], tooLate: true},
		phase{activity: contract.SignDrill.Name, cleanUp: opened[3:], tooLate: true},
		phase{activity: contract.AbandonRestore.Name, tooLate: true},
		phase{activity: contract.TearDownDrill.Name, behind: contract.AccountDrill.Name, cleanUp: opened[2:], tooLate: true},
		phase{activity: contract.SignDrill.Name, behind: contract.AccountDrill.Name, cleanUp: opened[3:], tooLate: true},
		phase{activity: contract.AbandonRestore.Name, behind: contract.AccountDrill.Name, tooLate: true},
	)
}

func TestDrillPhases(t *testing.T) { testPhases(t, drillPhases(), newFullDrill) }

func signed(t *testing.T, s *stage) contract.SignDrillInput {
	t.Helper()
	calls := s.callsOf(contract.SignDrill.Name)
	if len(calls) != 1 {
		t.Fatalf("%d times signed", len(calls))
	}
	return calls[0].In.(contract.SignDrillInput)
}

// TestDrill: the evidence gets all that was found, and when; the phases follow each other.
func TestDrill(t *testing.T) {
	s := newFullDrill(t)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if res := resultOf[contract.DrillResult](s); !res.Passed() || s.phases[len(s.phases)-1] != "Completed" {
		t.Errorf("%+v, %q", res, s.phases)
	}
	in := signed(t, s)
	var names []string
	for i, p := range in.Phases {
		names = append(names, p.Name)
		if i > 0 && p.Started.Before(in.Phases[i-1].Finished) || p.Started.Before(in.Asked) || p.Finished.After(in.Finished) {
			t.Errorf("%+v", p)
		}
	}
	if !slices.Equal(names, []string{"read", "volumes", "objects", "ready", "assertions", "readThrough"}) {
		t.Errorf("phases %q", names)
	}
	if in.Bytes.Files != 3 || in.Objects.Equal != 3 || in.Ready.Workloads.Good != 2 || len(in.Assertions) != 1 || in.Reading.Through != 2 || len(in.Control.Faults) != 1 || in.Aborted != "" || in.Drill.Name != "shop" {
		t.Errorf("%+v", in)
	}
	if leaks := in.Teardown.Scan; len(leaks) != len(contract.AlwaysScanned()) || leaks[1] != (evidence.Leak{Type: "namespaces", Made: 1}) || len(in.Teardown.Left) != 0 {
		t.Errorf("teardown %+v", in.Teardown)
	}
	for _, c := range s.calls {
		if p := c.Options.Priority.PriorityKey; p != 4 {
			t.Errorf("%s has priority %d", c.Name, p)
		}
	}
}

// TestDrillStuck: a namespace that does not go within five minutes is told with what holds it.
func TestDrillStuck(t *testing.T) {
	s := newFullDrill(t)
	answer(s, contract.TearDownDrill, always[contract.TearDownInput](oneNamespace()))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	in := signed(t, s)
	if took := in.Teardown.Finished.Sub(in.Teardown.Started); took < 5*time.Minute || took > 6*time.Minute {
		t.Errorf("given up after %s", took)
	}
	if len(in.Teardown.Left) != 1 || in.Teardown.Left[0].Detail != "finalizers [kubernetes]" || in.Teardown.Scan[1].Found != 1 {
		t.Errorf("%+v", in.Teardown)
	}
}

// TestDrillUnready: what is not ready in time is a finding; the rest is looked at all the same.
func TestDrillUnready(t *testing.T) {
	s := newFullDrill(t)
	answer(s, contract.CheckDrillReady, always[contract.CheckDrillInput](ready(1)))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	in := signed(t, s)
	if in.Ready == nil || in.Ready.Workloads.Detail != "deployment web" || len(in.Control.Faults) != 1 || in.Aborted != "" {
		t.Errorf("%+v", in)
	}
	if ready := in.Phases[3]; ready.Finished.Sub(ready.Started) < drillPlan().Ready {
		t.Errorf("waited %s", ready.Finished.Sub(ready.Started))
	}
	if looks := s.callsOf(contract.CheckDrillReady.Name); looks[1].Progress.Waits != "deployment web" {
		t.Errorf("while it waits it does not tell for what: %+v", looks[1].Progress)
	}
}

// TestDrillWaits: a drill waits for pods as long as it is asked for what they prove, and no longer: not
// for readiness, nor for hooks, nor for pods of its own.
func TestDrillWaits(t *testing.T) {
	for name, tc := range map[string]struct {
		level      definition.Level
		assertions []definition.Assertion
		start      time.Duration // of pods
		unawaited  bool
	}{
		"no level":   {"", nil, 10 * time.Minute, false},
		"L0":         {"L0", nil, time.Minute, true},
		"L2":         {"L2", nil, time.Minute, true},
		"L3":         {"L3", nil, 10 * time.Minute, false},
		"assertions": {"L2", drillInput().Spec.Assertions, 10 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFullDrill(t)
			in := drillInput()
			in.Spec.Assertions, in.Spec.Targets.Level = tc.assertions, tc.level
			s.start = func() { s.env.ExecuteWorkflow(contract.DrillWorkflow, in) }
			answer(s, contract.CheckDrillReady, always[contract.CheckDrillInput](ready(1)))
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			looks, findings := s.callsOf(contract.CheckDrillReady.Name), signed(t, s)
			if (len(looks) == 1) != tc.unawaited || findings.Unawaited != tc.unawaited || findings.Ready == nil || len(findings.Control.Faults) != 1 {
				t.Errorf("looked %d times: %+v", len(looks), findings)
			}
			hooks := s.callsOf(contract.RunRestoreHooks.Name)[0].In.(contract.RunRestoreHooksInput)
			if reading := s.callsOf(contract.ReadDrillVolumes.Name)[0].In.(contract.ReadVolumesInput); hooks.Wait != tc.start || reading.Start != tc.start {
				t.Errorf("hooks wait %s and readers %s for their pods, want %s", hooks.Wait, reading.Start, tc.start)
			}
		})
	}
}

// TestDrillUnread: volumes that take too long are no failure; the time in which all data was read
// is not told then, and neither is it where one cannot be read.
func TestDrillUnread(t *testing.T) {
	for name, tc := range map[string]struct {
		reading     contract.DrillReading
		least, most time.Duration
	}{
		"takes too long": {contract.DrillReading{Data: 2, Through: 1, Going: 1}, 30 * time.Minute, 31 * time.Minute},
		"cannot be read": {contract.DrillReading{Data: 2, Through: 1}, 0, time.Minute},
		"no data":        {contract.DrillReading{}, 0, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFullDrill(t)
			answer(s, contract.ReadDrillVolumes, always[contract.ReadVolumesInput](tc.reading))
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			in := signed(t, s)
			if in.Reading == nil || *in.Reading != tc.reading || len(in.Control.Faults) != 1 || in.Aborted != "" || in.Phases[len(in.Phases)-1].Name != "assertions" {
				t.Errorf("%+v", in)
			}
			first, next := s.callsOf(contract.ReadDrillVolumes.Name)[0], s.callsOf(contract.RunDrillControl.Name)[0]
			if took := next.Began.Sub(first.Began); took < tc.least || took > tc.most {
				t.Errorf("read for %s", took)
			}
		})
	}
}

// TestDrillStopped: a signal, and the end of the budget, end the phases; the copy goes and the
// evidence says why.
func TestDrillStopped(t *testing.T) {
	for name, tc := range map[string]struct {
		most time.Duration
		stop bool
		want string
	}{
		"by a signal":      {4 * time.Hour, true, "somebody asked it to stop"},
		"by the budget":    {2 * time.Minute, false, "the 2m0s of its budget are over"},
		"not at all":       {4 * time.Hour, false, ""},
		"budget is kinder": {time.Hour, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			plan := drillPlan()
			plan.Most = tc.most
			s := newDrill(t, plan)
			answer(s, contract.CheckDrillReady, always[contract.CheckDrillInput](ready(1)))
			if tc.stop {
				s.env.RegisterDelayedCallback(func() { s.env.SignalWorkflow(contract.StopDrill, nil) }, time.Minute)
			}
			err := s.run()
			in := signed(t, s)
			if in.Aborted != tc.want || in.Teardown.Scan == nil {
				t.Errorf("aborted %q, teardown %+v", in.Aborted, in.Teardown)
			}
			var app *temporal.ApplicationError
			if tc.want != "" && (!errors.As(err, &app) || app.Type() != "DrillStopped" || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("ends with %v", err)
			}
		})
	}
}

// TestResultOfAFailure: what ends a drill early carries the result of it, which may be all that there
// is of its evidence, and stays what it was.
func TestResultOfAFailure(t *testing.T) {
	for _, f := range []fault{final, cancelled} {
		t.Run(string(f), func(t *testing.T) {
			s := newFullDrill(t)
			s.faults[contract.RunDrillAssertions.Name] = f
			err := s.run()
			var app *temporal.ApplicationError
			var stopped *temporal.CanceledError
			var res contract.DrillResult
			switch {
			case f == cancelled && errors.As(err, &stopped):
				err = stopped.Details(&res)
			case f == final && errors.As(err, &app) && app.Type() == contract.ErrTypeDenied:
				err = app.Details(&res)
			}
			if err != nil || res.ID != runUID || res.Verdict != "failed" {
				t.Errorf("ends with %v, result %+v", err, res)
			}
		})
	}
}

// TestDrillKept: evidence is written at once; the copy goes when its time is over, when somebody
// says so, or when the run is cancelled, and a signal gives it more time.
func TestDrillKept(t *testing.T) {
	for name, tc := range map[string]struct {
		by   func(s *stage)
		want time.Duration
	}{
		"to its deadline": {func(*stage) {}, 4 * time.Hour},
		"stopped":         {func(s *stage) { s.env.SignalWorkflow(contract.StopDrill, nil) }, time.Hour},
		"cancelled":       {func(s *stage) { s.env.CancelWorkflow() }, time.Hour},
		"longer":          {func(s *stage) { s.env.SignalWorkflow(contract.KeepDrill, contract.KeepDrillInput{For: 8 * time.Hour}) }, 9 * time.Hour},
		"not for ever": {func(s *stage) {
			s.env.SignalWorkflow(contract.KeepDrill, contract.KeepDrillInput{For: 9000 * time.Hour})
		}, 169 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			plan := drillPlan()
			plan.Keep = 4 * time.Hour
			s := newDrill(t, plan)
			s.env.RegisterDelayedCallback(func() { tc.by(s) }, time.Hour)
			err := s.run()
			if err != nil && name != "cancelled" {
				t.Fatal(err)
			}
			in := signed(t, s)
			if !in.Teardown.Started.IsZero() || in.Teardown.Kept.Sub(in.Finished) != plan.Keep {
				t.Errorf("teardown %+v", in.Teardown)
			}
			down := s.callsOf(contract.TearDownDrill.Name)
			if took := down[0].Began.Sub(startTime()); took < tc.want || took > tc.want+2*time.Minute {
				t.Errorf("removed after %s, want %s", took, tc.want)
			}
			if last := s.calls[len(s.calls)-1].Name; last != contract.AbandonRestore.Name {
				t.Errorf("ends with %s", last)
			}
		})
	}
}

// TestDrillKeptAfterFailure: a signal keeps a copy for inspection of which something could not
// be proven.
func TestDrillKeptAfterFailure(t *testing.T) {
	s := newFullDrill(t)
	s.faults[contract.RunDrillAssertions.Name] = final
	s.env.RegisterDelayedCallback(func() { s.env.SignalWorkflow(contract.KeepDrill, contract.KeepDrillInput{For: time.Hour}) }, 10*time.Millisecond)
	if err := s.run(); errorType(err) != contract.ErrTypeDenied {
		t.Errorf("ends with %v", err)
	}
	if in := signed(t, s); in.Teardown.Kept.IsZero() || in.Aborted == "" {
		t.Errorf("%+v", in.Teardown)
	}
}

// TestDrillWithoutCopyIsNotKept: where the copy could not be made there is nothing to keep, and the
// next drill need not wait.
func TestDrillWithoutCopyIsNotKept(t *testing.T) {
	plan := drillPlan()
	plan.Keep = 4 * time.Hour
	s := newDrill(t, plan)
	s.faults[contract.IsolateDrill.Name] = final
	if err := s.run(); errorType(err) != contract.ErrTypeDenied {
		t.Errorf("ends with %v", err)
	}
	if in := signed(t, s); !in.Teardown.Kept.IsZero() || in.Aborted == "" {
		t.Errorf("%+v", in.Teardown)
	}
	if down := s.callsOf(contract.TearDownDrill.Name); len(down) == 0 || down[0].Began.Sub(startTime()) > time.Hour {
		t.Errorf("removed: %+v", down)
	}
}

// notifyPhases are those whose loss fails no drill; TestDrillNotifications loses them.
func notifyPhases() []phase { return []phase{{activity: contract.NotifyDrill.Name}} }

// TestDrillNotifications: everybody is told once the evidence is written; who cannot be told makes
// a warning, and fails neither the drill nor the others.
func TestDrillNotifications(t *testing.T) {
	for _, f := range []fault{noFault, retried, lostWorker, final, givenUp, cancelled} {
		t.Run(string(f), func(t *testing.T) {
			s := newFullDrill(t)
			in := drillInput()
			in.Spec.Notifications = []definition.Notification{{Name: "chat"}, {Name: "event"}}
			s.start = func() { s.env.ExecuteWorkflow(contract.DrillWorkflow, in) }
			var mu sync.Mutex
			var told []string
			answer(s, contract.NotifyDrill, func(in contract.NotifyDrillInput) contract.Nothing {
				mu.Lock()
				defer mu.Unlock()
				if in.Result.Verdict != "passed" {
					t.Errorf("%+v", in.Result)
				}
				told = append(told, in.Notification.Name)
				return contract.Nothing{}
			})
			s.faults[contract.NotifyDrill.Name] = f
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			lost := f == final || f == givenUp
			res := resultOf[contract.DrillResult](s)
			if !res.Passed() || (len(res.Warnings) == 1) != lost || len(res.Warnings) > 1 || lost && !strings.HasPrefix(res.Warnings[0], "notification chat: ") && !strings.HasPrefix(res.Warnings[0], "notification event: ") || s.phases[len(s.phases)-1] != "Completed" {
				t.Errorf("%+v, %q", res, s.phases)
			}
			slices.Sort(told)
			if !lost && !slices.Equal(told, []string{"chat", "event"}) || len(told) == 0 {
				t.Errorf("told %q", told)
			}
			signed, first := s.callsOf(contract.SignDrill.Name)[0], s.callsOf(contract.NotifyDrill.Name)[0]
			if first.Began.Before(signed.Began) || s.calls[len(s.calls)-1].Name != contract.AbandonRestore.Name {
				t.Errorf("told at %s, signed at %s", first.Began, signed.Began)
			}
		})
	}
}

// TestDrillNotificationsOfKept: of a copy that is kept they are told at once, not when it goes.
func TestDrillNotificationsOfKept(t *testing.T) {
	plan := drillPlan()
	plan.Keep = 4 * time.Hour
	s := newDrill(t, plan)
	in := drillInput()
	in.Spec.Notifications = []definition.Notification{{Name: "chat"}}
	s.start = func() { s.env.ExecuteWorkflow(contract.DrillWorkflow, in) }
	answer(s, contract.NotifyDrill, always[contract.NotifyDrillInput](contract.Nothing{}))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if calls := s.callsOf(contract.NotifyDrill.Name); len(calls) != 1 || calls[0].Began.Sub(startTime()) > time.Hour {
		t.Errorf("%+v", calls)
	}
}

// TestDrillRefused: a drill that ends before it has begun leaves evidence if its backup is known,
// and else nothing but what is told; so does one whose evidence cannot be written.
func TestDrillRefused(t *testing.T) {
	refused := drillPlan()
	refused.Refused = &contract.DrillRefusal{Type: contract.ErrTypeInvalid, Message: "spec.includedNamespaces: the backup has no namespace shop"}
	for name, tc := range map[string]struct {
		plan             contract.DrillPlan
		lost             string // activity
		signed, unsigned int
		says             string
	}{
		"refused":       {refused, "", 1, 0, "no namespace shop"},
		"no backup":     {drillPlan(), contract.PrepareDrill.Name, 0, 1, "PrepareDrill: forbidden"},
		"lost drills":   {drillPlan(), contract.RemoveLostDrills.Name, 1, 0, "RemoveLostDrills: forbidden"},
		"no signature":  {drillPlan(), contract.SignDrill.Name, 1, 1, "SignDrill: forbidden"},
		"of a refused":  {refused, contract.SignDrill.Name, 1, 1, "SignDrill: forbidden"},
		"went all well": {drillPlan(), "", 1, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newDrill(t, tc.plan)
			in := drillInput()
			in.Spec.Notifications = []definition.Notification{{Name: "chat"}}
			s.start = func() { s.env.ExecuteWorkflow(contract.DrillWorkflow, in) }
			answer(s, contract.NotifyDrill, always[contract.NotifyDrillInput](contract.Nothing{}))
			if tc.lost != "" {
				s.faults[tc.lost] = final
			}
			if err := s.run(); (err != nil) != (tc.says != "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("ends with %v", err)
			}
			told := s.callsOf(contract.NotifyDrill.Name)
			if len(told) != 1 || len(s.callsOf(contract.SignDrill.Name)) != tc.signed {
				t.Fatalf("%q", names(s.steps()))
			}
			tells := told[0].In.(contract.NotifyDrillInput)
			if (tells.Unsigned != "") != (tc.unsigned > 0) || !strings.Contains(tells.Unsigned, tc.says) && tc.unsigned > 0 || tells.Unsigned != "" && (tells.Result.ID != runUID || tells.Result.Name != "shop") {
				t.Errorf("told %+v", tells)
			}
			if tc.signed > tc.unsigned && tc.says != "" && !strings.Contains(signed(t, s).Aborted, tc.says) {
				t.Errorf("signed %+v", signed(t, s))
			}
			if tc.plan.Refused != nil && len(s.callsOf(contract.OpenArchive.Name)) > 0 {
				t.Error("it has begun all the same")
			}
		})
	}
}
