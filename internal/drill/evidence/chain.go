package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// OverdueAfter is how long after its time a drill of a schedule may leave no evidence: it may
// have waited for another one, take hours, and keep its copy for some more.
const OverdueAfter = 24 * time.Hour

func (c Chain) check() error {
	switch {
	case c.Sequence < 1:
		return errors.New("sequence: counts from 1")
	case (c.Sequence == 1) != (c.Previous == ""):
		return errors.New("previous: every drill but the first names the one before it")
	case (c.Schedule == "") != (c.Slot == "") || c.Schedule == "" && (c.NextSlot != "" || len(c.Missed) > 0):
		return errors.New("slot: a drill of a schedule has one, and no other")
	case c.NextSlot != "" && c.NextSlot <= c.Slot:
		return errors.New("nextSlot: does not come after slot")
	}
	slots := append(texts(c.Missed, func(m MissedSlot) string { return string(m.Slot) }), string(c.Slot))
	return ascending("missed", slots)
}

// checkPast wants the drills right before this one, without a gap.
func (p Predicate) checkPast() error {
	sequence := p.Chain.Sequence - 1
	if len(p.Past) > maxPast || len(p.Past) == 0 && sequence > 0 || Count(len(p.Past)) > sequence {
		return fmt.Errorf("has %d drills, %d came before", len(p.Past), sequence)
	}
	for i, past := range slices.Backward(p.Past) {
		if past.Sequence != sequence {
			return fmt.Errorf("[%d]: is drill %d instead of %d", i, past.Sequence, sequence)
		}
		if past.Sequence == p.Chain.Sequence-1 && past.Evidence != p.Chain.Previous {
			return fmt.Errorf("[%d]: evidence is not chain.previous", i)
		}
		sequence--
	}
	return nil
}

// GapKind is a way in which drills of a chain do not follow each other.
type GapKind string

// Kinds of gaps.
const (
	GapFile     GapKind = "file"     // the evidence of a drill in between is not among the files
	GapReplaced GapKind = "replaced" // a later drill followed other evidence than the file of that number
	GapFork     GapKind = "fork"     // two files have one number
	GapFailed   GapKind = "failed"   // the drill failed
	GapMissed   GapKind = "missed"   // the next drill of the schedule says that this time had none
	GapSlot     GapKind = "slot"     // a time of the schedule has no drill, and no drill says so
	GapOverdue  GapKind = "overdue"  // the next time of the schedule has passed without evidence
)

// Gap is one place in which drills of a chain do not follow each other.
type Gap struct {
	Chain    string  `json:"chain"`
	Kind     GapKind `json:"kind"`
	Sequence Count   `json:"sequence"`           // the drill that is missing, or that the gap comes before or after
	Last     Count   `json:"last,omitempty"`     // of several missing drills
	Schedule string  `json:"schedule,omitempty"` // where a time of it is concerned
	Slot     Moment  `json:"slot,omitempty"`
	Detail   string  `json:"detail"` // for people
}

// CheckChain looks for gaps between files, which may be of several chains and in any order.
// That a chain begins before the first file is no gap. now decides what is overdue.
func CheckChain(files []Evidence, now time.Time) []Gap {
	var gaps []Gap
	for _, chain := range chains(files) {
		c := chainCheck{files: chain, now: now}
		c.compareNeighbours()
		c.compareSlots()
		gaps = append(gaps, c.gaps...)
	}
	return gaps
}

// chains are the files by chain and number, each once.
func chains(files []Evidence) [][]Evidence {
	sorted := slices.SortedFunc(slices.Values(files), func(a, b Evidence) int {
		x, y := a.Statement.Predicate.Chain, b.Statement.Predicate.Chain
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Sequence, y.Sequence), cmp.Compare(a.Digest, b.Digest))
	})
	sorted = slices.CompactFunc(sorted, func(a, b Evidence) bool { return a.Digest == b.Digest })
	var out [][]Evidence
	for i, f := range sorted {
		if i == 0 || f.chain().Name != sorted[i-1].chain().Name {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], f)
	}
	return out
}

// chainCheck looks through the files of one chain, which are sorted.
type chainCheck struct {
	files []Evidence
	now   time.Time
	gaps  []Gap
}

func (c *chainCheck) add(at Evidence, gap Gap) {
	gap.Chain = at.chain().Name
	c.gaps = append(c.gaps, gap)
}

// compareNeighbours finds what the numbers, the digests and the verdicts say.
func (c *chainCheck) compareNeighbours() {
	for i, f := range c.files {
		at := f.chain().Sequence
		if i > 0 {
			c.compareNumbers(c.files[i-1], f)
		}
		if c.isReplaced(f, c.files[i+1:]) {
			c.add(f, Gap{Kind: GapReplaced, Sequence: at, Detail: fmt.Sprintf("a later drill followed other evidence of drill %d than this file", at)})
		}
		if f.Statement.Predicate.Claim.Verdict == Failed {
			c.add(f, Gap{Kind: GapFailed, Sequence: at, Detail: fmt.Sprintf("drill %d failed", at)})
		}
	}
}

func (c *chainCheck) compareNumbers(before, f Evidence) {
	last, at := before.chain().Sequence, f.chain().Sequence
	if at == last {
		c.add(f, Gap{Kind: GapFork, Sequence: at, Detail: fmt.Sprintf("two files are drill %d", at)})
	}
	if missing := last + 1; missing < at {
		which := fmt.Sprintf("drill %d", missing)
		if missing < at-1 {
			which = fmt.Sprintf("drills %d to %d", missing, at-1)
		}
		c.add(f, Gap{Kind: GapFile, Sequence: missing, Last: at - 1, Detail: "the evidence of " + which + " is not among the files"})
	}
}

// isReplaced is true if a later file names other evidence for f's number.
func (c *chainCheck) isReplaced(f Evidence, later []Evidence) bool {
	return slices.ContainsFunc(later, func(l Evidence) bool {
		return slices.ContainsFunc(l.Statement.Predicate.Past, func(p Past) bool {
			return p.Sequence == f.chain().Sequence && p.Evidence != f.Digest
		})
	})
}

// compareSlots finds times of a schedule without a drill. Where the evidence of drills is
// missing, it begins anew: they may have been those of the times in between.
func (c *chainCheck) compareSlots() {
	last := map[string]Evidence{}
	for i, f := range c.files {
		chain, step := f.chain(), Count(1)
		if i > 0 {
			step = chain.Sequence - c.files[i-1].chain().Sequence
		}
		if step > 1 {
			clear(last)
		}
		if chain.Schedule == "" || step == 0 { // the second of a fork
			continue
		}
		before, known := last[chain.Schedule]
		c.compareSlot(before, known, f)
		last[chain.Schedule] = f
	}
	c.addOverdue(last)
}

func (c *chainCheck) compareSlot(before Evidence, known bool, f Evidence) {
	chain := f.chain()
	for _, m := range chain.Missed {
		c.add(f, Gap{Kind: GapMissed, Sequence: chain.Sequence, Schedule: chain.Schedule, Slot: m.Slot, Detail: fmt.Sprintf("schedule %s had no drill at %s: %s", chain.Schedule, m.Slot, m.Reason)})
	}
	if !known || before.chain().NextSlot == "" {
		return
	}
	due := before.chain().NextSlot
	told := slices.ContainsFunc(chain.Missed, func(m MissedSlot) bool { return m.Slot == due })
	// A drill before that time is one of a schedule that was changed to be due earlier.
	if chain.Slot > due && !told {
		c.add(f, Gap{Kind: GapSlot, Sequence: chain.Sequence, Schedule: chain.Schedule, Slot: due, Detail: fmt.Sprintf("schedule %s has no drill at %s, and drill %d does not say why", chain.Schedule, due, chain.Sequence)})
	}
}

func (c *chainCheck) addOverdue(last map[string]Evidence) {
	for _, f := range c.files {
		chain := f.chain()
		if chain.Schedule == "" || last[chain.Schedule].Digest != f.Digest || chain.NextSlot == "" {
			continue
		}
		if chain.NextSlot.Time().Add(OverdueAfter).Before(c.now) {
			c.add(f, Gap{Kind: GapOverdue, Sequence: chain.Sequence + 1, Schedule: chain.Schedule, Slot: chain.NextSlot, Detail: fmt.Sprintf("schedule %s was to drill at %s; there is no evidence of it", chain.Schedule, chain.NextSlot)})
		}
	}
}
