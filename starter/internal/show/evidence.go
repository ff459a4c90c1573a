package show

import (
	"fmt"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// Evidence is what the evidence of a drill says, in short: the page has all of it.
func Evidence(p evidence.Predicate) string {
	var out strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&out, "%-13s %s\n", name+":", Clean(fmt.Sprintf(format, args...)))
	}
	line("Drill", "%s (%s), drill %d of %s, asked for %s", p.Drill.Name, p.Drill.Kind, p.Chain.Sequence, p.Chain.Name, Time(p.Drill.Asked.Time()))
	line("Verdict", "%s: %s is proven, %s is wanted", p.Claim.Verdict, p.Claim.Level, p.Objective.Level)
	for _, f := range p.Claim.Failures {
		line("  against it", "[%s] %s", f.Code, f.Detail)
	}
	line("Backup", "%s of cluster %s", p.Source.Backup.Name, p.Source.Cluster.Name)
	rto := "not reached"
	if took := p.TimeToProof(); took > 0 {
		rto = roundClock(took)
	}
	line("RTO", "%s, objective %s", rto, orNoObjective(p.Objective.RTO))
	line("RPO", "%s, objective %s", roundClock(p.Measured.RPO.Worst()), orNoObjective(p.Objective.RPO))
	line("Objects", "%s: %s equal, %s changed on purpose, %s not restored", Count(int64(p.Objects.Total)),
		Count(int64(p.Objects.Equal)), Count(int64(p.Objects.Changed)), Count(int64(p.Objects.NotRestored)))
	for _, a := range p.Assertions {
		line("Assertion", "%s: %s, recorded %q, found %q", a.Name, a.Outcome, a.Recorded, a.Found)
	}
	line("Teardown", "%s", p.Teardown.Outcome)
	for _, l := range p.Teardown.Left {
		line("  left", "%s %s: %s", l.Type, l.Name, l.Detail)
	}
	line("Control", "%s", p.NegativeControl.Outcome)
	for _, n := range p.NotShown {
		line("Not shown", "%s: %s", n.Topic, n.Text)
	}
	return out.String()
}

func roundClock(m evidence.Millis) string { return Clock(m.Duration().Round(time.Second)) }

func orNoObjective(m evidence.Millis) string {
	if m == 0 {
		return "none"
	}
	return roundClock(m)
}
