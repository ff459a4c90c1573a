package evidence

import (
	"errors"
	"fmt"
)

// checkMeasured holds durations against the moments that they follow from.
func (p Predicate) checkMeasured() error {
	if p.Drill.Finished < p.Drill.Asked {
		return errors.New("drill.finished is before drill.asked")
	}
	if err := p.checkPhases(); err != nil {
		return err
	}
	got := RTO{}
	if p.Measured.RTO != nil {
		got = *p.Measured.RTO
	}
	if want := p.rto(); got != want || (p.Measured.RTO == nil) != (len(p.Measured.Phases) == 0) {
		return fmt.Errorf("rto: is %+v, by the phases it is %+v", got, want)
	}
	rpo := p.Measured.RPO
	if rpo.Newest > p.Drill.Asked || rpo.Age != p.Drill.Asked.Since(rpo.Newest) {
		return fmt.Errorf("rpo.ageMs: is %d, from newest to drill.asked it is %d", rpo.Age, p.Drill.Asked.Since(rpo.Newest))
	}
	return nil
}

// checkPhases wants phases in their order, each within the drill. They may overlap.
func (p Predicate) checkPhases() error {
	last := -1
	for i, phase := range p.Measured.Phases {
		position := rank(phase.Name.values(), string(phase.Name))
		switch {
		case position <= last:
			return fmt.Errorf("phases[%d]: %s does not come here", i, phase.Name)
		case phase.Started < p.Drill.Asked || phase.Finished < phase.Started || phase.Finished > p.Drill.Finished:
			return fmt.Errorf("phases[%d] %s: not within the drill", i, phase.Name)
		}
		last = position
	}
	return nil
}

// rto is what follows from the phases.
func (p Predicate) rto() RTO {
	var out RTO
	for _, phase := range p.Measured.Phases {
		took := phase.Finished.Since(p.Drill.Asked)
		switch phase.Name {
		case PhaseReadThrough:
			out.ReadThrough = took
			continue
		case PhaseReady:
			out.Ready = took
		}
		out.Proven = max(out.Proven, took)
	}
	return out
}

// TimeToProof is the RTO that a drill shows: how long it took until the level that was wanted was proven.
// It is 0 for a drill that did not come to it, whose phases came to an end as well and prove nothing.
func (p Predicate) TimeToProof() Millis {
	if p.Measured.RTO == nil || p.Claim.Level.Rank() < p.Objective.Level.Rank() {
		return 0
	}
	return p.Measured.RTO.Proven
}

// Worst is the larger of the age of the data and the worst gap.
func (r RPO) Worst() Millis { return max(r.Age, r.WorstGap) }
