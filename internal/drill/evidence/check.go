package evidence

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Check says what is wrong with a statement: a field that has not its form, or fields that
// contradict each other. It looks at nothing but the statement. The error names the field.
func (s Statement) Check() error {
	if err := checkForm("", reflect.ValueOf(s)); err != nil {
		return err
	}
	p := s.Predicate
	for _, part := range []struct {
		name string
		err  error
	}{
		{"subject", s.checkSubjects()},
		{"predicate.claim", p.checkClaim()},
		{"predicate.measured", p.checkMeasured()},
		{"predicate.objects", p.checkObjects()},
		{"predicate.assertions", p.checkAssertions()},
		{"predicate.neutralised", p.checkNeutralised()},
		{"predicate.isolation", p.Isolation.check()},
		{"predicate.teardown", p.Teardown.check()},
		{"predicate.negativeControl", p.checkControl()},
		{"predicate.chain", p.Chain.check()},
		{"predicate.past", p.checkPast()},
		{"predicate", p.checkLists()},
	} {
		if part.err != nil {
			return fmt.Errorf("%s: %w", part.name, part.err)
		}
	}
	return nil
}

// checkSubjects holds the subjects against the source: the manifest and each snapshot, once.
func (s Statement) checkSubjects() error {
	want := []string{s.Predicate.Source.Backup.Manifest}
	for _, snapshot := range s.Predicate.Source.Snapshots {
		want = append(want, snapshot.Record)
	}
	var got []string
	for _, subject := range s.Subject {
		got = append(got, subject.Name)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("names are %q, predicate.source has %q", got, want)
	}
	return unique("name", got)
}

// checkLists looks at lists of which nothing else depends.
func (p Predicate) checkLists() error {
	if p.Objective.Level == LevelNone {
		return errors.New("objective.level: none is no objective")
	}
	if len(p.NotShown) == 0 {
		return errors.New("notShown: is empty; every drill leaves something unproven")
	}
	return unique("checklist", texts(p.Checklist, func(c Check) string { return c.ID }))
}

func (p Predicate) checkClaim() error {
	if err := p.checkLevels(); err != nil {
		return err
	}
	var codes []FailureCode
	for _, f := range p.Claim.Failures {
		if slices.Contains(codes, f.Code) {
			return fmt.Errorf("failures: %s stands there twice", f.Code)
		}
		codes = append(codes, f.Code)
	}
	found := p.FailureCodes()
	for _, code := range found {
		if !slices.Contains(codes, code) {
			return fmt.Errorf("failures: %s is missing, which follows from the other fields", code)
		}
	}
	for _, code := range codes {
		if code != Aborted && !slices.Contains(found, code) {
			return fmt.Errorf("failures: %s does not follow from the other fields", code)
		}
	}
	if (p.Claim.Verdict == Passed) != (len(codes) == 0) {
		return fmt.Errorf("verdict: %s, with %d failures", p.Claim.Verdict, len(codes))
	}
	return nil
}

// checkLevels wants all levels in order, and the claim to be the highest of those that are
// proven without a gap.
func (p Predicate) checkLevels() error {
	reached := LevelNone
	all := LevelNone.values()[1:]
	if len(p.Claim.Levels) != len(all) {
		return fmt.Errorf("levels: %d of %d", len(p.Claim.Levels), len(all))
	}
	for i, l := range p.Claim.Levels {
		switch {
		case string(l.Level) != all[i]:
			return fmt.Errorf("levels[%d]: is %s instead of %s", i, l.Level, all[i])
		case l.Good > l.Checked || l.Outcome == LevelProven && l.Good != l.Checked:
			return fmt.Errorf("levels[%d]: %s with %d good of %d", i, l.Outcome, l.Good, l.Checked)
		case l.Outcome == LevelProven && reached.Rank() == i:
			reached = l.Level
		}
	}
	if p.Claim.Level != reached {
		return fmt.Errorf("level: is %s, proven without a gap is %s", p.Claim.Level, reached)
	}
	if reached.Rank() >= L2.Rank() && p.lost() {
		return errors.New("level: L2 is not proven where objects did not come back that were to")
	}
	if reached == L5 && (len(p.Assertions) == 0 || !p.assertionsHold()) {
		return errors.New("level: L5 is not proven without assertions that hold")
	}
	return nil
}

// FailureCodes is what speaks against the drill by its own figures.
func (p Predicate) FailureCodes() []FailureCode {
	rto, rpo := p.Measured.RTO, p.Measured.RPO
	var codes []FailureCode
	for _, c := range []struct {
		code FailureCode
		is   bool
	}{
		{LevelMissed, p.Claim.Level.Rank() < p.Objective.Level.Rank()},
		{RTOExceeded, p.Objective.RTO > 0 && (rto == nil || rto.Proven > p.Objective.RTO)},
		{RPOExceeded, p.Objective.RPO > 0 && rpo.Worst() > p.Objective.RPO},
		{AssertionFailed, !p.assertionsHold()},
		{ObjectsLost, p.lost()},
		{IsolationBroken, p.Isolation != nil && p.Isolation.Reached > 0 && !p.Isolation.Accepted},
		{TeardownIncomplete, p.Teardown.Outcome == TeardownPartial},
		{ControlUndetected, p.NegativeControl.Outcome == ControlMissed || p.NegativeControl.Outcome == ControlNotTried && p.Drill.Kind == KindDrill},
	} {
		if c.is {
			codes = append(codes, c.code)
		}
	}
	return codes
}

func (p Predicate) assertionsHold() bool {
	return !slices.ContainsFunc(p.Assertions, func(a Assertion) bool { return a.Outcome != Held })
}

// lost is true if objects did not come back that were to.
func (p Predicate) lost() bool {
	return slices.ContainsFunc(p.Objects.Kinds, func(k KindCount) bool {
		return slices.ContainsFunc(k.NotRestored, func(g LostGroup) bool { return !g.Planned })
	})
}

func (p Predicate) checkAssertions() error {
	for i, a := range p.Assertions {
		if a.Outcome != NotChecked && a.Operator == Equals && (a.Outcome == Held) != (a.Recorded == a.Found) {
			return fmt.Errorf("[%d] %q: %s, with %q recorded and %q found", i, a.Name, a.Outcome, a.Recorded, a.Found)
		}
	}
	return unique("name", texts(p.Assertions, func(a Assertion) string { return a.Name }))
}

// checkNeutralised wants every change to be one of a rule that changed objects of that type.
func (p Predicate) checkNeutralised() error {
	for i, n := range p.Neutralised {
		counted := slices.ContainsFunc(p.Objects.Kinds, func(k KindCount) bool {
			return k.Resource == n.Resource && slices.ContainsFunc(k.Changed, func(g ChangedGroup) bool { return slices.Contains(g.Rules, n.Rule) })
		})
		if !counted {
			return fmt.Errorf("[%d]: objects counts no %s that rule %q changed", i, n.Resource, n.Rule)
		}
	}
	return nil
}

func (i *Isolation) check() error {
	switch {
	case i == nil:
		return nil
	case i.Reached > i.Tried:
		return fmt.Errorf("reached: %d got through of %d that tried", i.Reached, i.Tried)
	case (i.Outside != "") != (i.Tried > 0):
		return fmt.Errorf("outside: is %q, and %d tried to reach it", i.Outside, i.Tried)
	}
	return nil
}

func (t Teardown) check() error {
	left := len(t.Left) > 0 || slices.ContainsFunc(t.LeakScan, func(l Leak) bool { return l.Found > 0 })
	scanned := len(t.LeakScan) > 0
	switch {
	case (t.Started == "") != (t.Finished == "") || t.Finished < t.Started:
		return errors.New("started and finished do not belong together")
	case slices.ContainsFunc(t.LeakScan, func(l Leak) bool { return l.Found > l.Made }):
		return errors.New("leakScan: more found than the drill made")
	case t.Outcome == TeardownKept && (t.KeptUntil == "" || t.Started != "" || left || scanned):
		return errors.New("outcome: a copy that is kept has a deadline in keptUntil, and nothing of it was removed")
	case t.Outcome != TeardownKept && t.KeptUntil != "":
		return errors.New("keptUntil: the copy is not kept")
	case t.Outcome == TeardownComplete && (left || !scanned || t.Started == ""):
		return errors.New("outcome: complete is what began, ended and was looked for, and of which nothing is left")
	case t.Outcome == TeardownPartial && scanned && !left:
		return errors.New("outcome: incomplete, though nothing is left")
	}
	return nil
}

// checkControl wants faults whose check exists, all of them detected where that is claimed.
func (p Predicate) checkControl() error {
	c := p.NegativeControl
	outcome := ControlDetected
	if len(c.Faults) == 0 {
		outcome = ControlNotTried
	}
	for i, f := range c.Faults {
		known := slices.Contains(LevelNone.values()[1:], f.Check) ||
			slices.ContainsFunc(p.Assertions, func(a Assertion) bool { return a.Name == f.Check })
		if !known {
			return fmt.Errorf("faults[%d].check: %q is neither a level nor an assertion", i, f.Check)
		}
		if !f.Detected {
			outcome = ControlMissed
		}
	}
	if c.Outcome != outcome {
		return fmt.Errorf("outcome: is %s, by the faults it is %s", c.Outcome, outcome)
	}
	return nil
}

func unique(what string, values []string) error {
	seen := map[string]bool{}
	for _, v := range values {
		if seen[v] {
			return fmt.Errorf("%s: %q stands there twice", what, v)
		}
		seen[v] = true
	}
	return nil
}

// ascending wants values to be sorted, none twice.
func ascending(what string, values []string) error {
	for i := 1; i < len(values); i++ {
		if values[i-1] >= values[i] {
			return fmt.Errorf("%s: %q does not come before %q", what, values[i-1], values[i])
		}
	}
	return nil
}

func texts[T any](list []T, text func(T) string) []string {
	var out []string
	for _, item := range list {
		out = append(out, text(item))
	}
	return out
}
