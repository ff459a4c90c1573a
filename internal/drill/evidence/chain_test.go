package evidence

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// quarters makes a chain of drills of a schedule, one every 90 days. change may make of each
// what it likes, and returns false for one that leaves no evidence.
func quarters(t *testing.T, n int, change func(i int, p *Predicate) bool) [][]byte {
	t.Helper()
	var files [][]byte
	var past []Past
	for i := 1; i <= n; i++ {
		s := small()
		p := &s.Predicate
		p.Chain = Chain{Name: "prod", Sequence: Count(len(past) + 1), Schedule: "quarterly", Slot: quarter(i), NextSlot: quarter(i + 1)}
		p.Past = past
		if len(past) > 0 {
			p.Chain.Previous = past[len(past)-1].Evidence
		}
		if !change(i, p) {
			continue
		}
		if p.Claim.Verdict == Failed {
			p.Claim.Failures = failuresOf(s, Aborted)
		}
		file := signed(t, s, testKey(1))
		past = append(slices.Clone(past), Past{p.Chain.Sequence, DigestOf(file), p.Drill.Asked, p.Claim.Verdict, p.Claim.Level, p.Measured.RTO.Proven, p.Measured.RPO.Worst()})
		files = append(files, file)
	}
	return files
}

func quarter(i int) Moment { return at(float64(i) * 90 * 24 * 60) }

func always(int, *Predicate) bool { return true }

// chainCases are files, the day after the fifth quarter's beginning, and what their gaps are:
// kind, number, and the quarter where one is concerned.
func chainCases(t *testing.T) map[string]struct {
	files [][]byte
	want  []string
} {
	t.Helper()
	four := quarters(t, 4, always)
	failing := func(i int, p *Predicate) bool {
		if i == 2 {
			p.Claim.Verdict = Failed
		}
		return true
	}
	other := quarters(t, 4, func(i int, p *Predicate) bool {
		if i == 2 {
			p.Drill.Name = "made again"
		}
		return true
	})
	without := func(files [][]byte, index ...int) [][]byte {
		var out [][]byte
		for i, f := range files {
			if !slices.Contains(index, i+1) {
				out = append(out, f)
			}
		}
		return out
	}
	reversed := slices.Clone(four)
	slices.Reverse(reversed)
	type chainCase = struct {
		files [][]byte
		want  []string
	}
	return map[string]chainCase{
		"whole":           {four, nil},
		"any-order-twice": {append(reversed, four[0]), nil},
		"begins-later":    {without(four, 1, 2), nil},
		"one-missing":     {without(four, 2), []string{"file 2"}},
		"two-missing":     {without(four, 2, 3), []string{"file 2-3"}},
		"one-failed":      {quarters(t, 4, failing), []string{"failed 2"}},
		"failure-hidden":  {without(quarters(t, 4, failing), 2), []string{"file 2"}},
		"failure-replaced": {
			slices.Concat(without(quarters(t, 4, failing), 2), other[1:2]),
			[]string{"replaced 2"},
		},
		"fork":         {slices.Concat(four, other[1:2]), forkWant(four[1], other[1])},
		"slot-skipped": {quarters(t, 4, func(i int, _ *Predicate) bool { return i != 3 }), []string{"slot 3 quarter 3"}},
		"slot-told": {quarters(t, 4, func(i int, p *Predicate) bool {
			if i == 4 {
				p.Chain.Missed = []MissedSlot{{quarter(3), "the schedule was paused"}}
			}
			return i != 3
		}), []string{"missed 3 quarter 3"}},
		"overdue": {without(four, 4), []string{"overdue 4 quarter 4"}},
		"by-hand": {quarters(t, 4, func(i int, p *Predicate) bool {
			if i == 2 {
				p.Chain.Schedule, p.Chain.Slot, p.Chain.NextSlot = "", "", ""
			}
			return true
		}), []string{"slot 3 quarter 2"}},
		"moved-earlier": {quarters(t, 4, func(i int, p *Predicate) bool {
			if i == 2 {
				p.Chain.NextSlot = quarter(4)
			}
			return true
		}), nil},
		"two-schedules": {quarters(t, 5, func(i int, p *Predicate) bool {
			if i == 2 {
				p.Chain.Schedule, p.Chain.Slot, p.Chain.NextSlot = "yearly", at(200), ""
			}
			if i == 1 {
				p.Chain.NextSlot = quarter(3)
			}
			return i < 5
		}), nil},
		"two-chains": {append(quarters(t, 3, func(i int, p *Predicate) bool {
			p.Chain.Name = "stage"
			p.Chain.NextSlot = quarter(i + 1)
			if i == 3 {
				p.Chain.NextSlot = ""
			}
			return true
		}), without(four, 3)...), []string{"file 3"}},
	}
}

// forkWant is what two files of one number give: the second in the order of digests is the
// fork, and the one that later drills do not name is replaced.
func forkWant(named, other []byte) []string {
	if DigestOf(named) < DigestOf(other) {
		return []string{"fork 2", "replaced 2"}
	}
	return []string{"replaced 2", "fork 2"}
}

func chainNow() time.Time { return quarter(5).Time() }

func TestChain(t *testing.T) {
	for name, c := range chainCases(t) {
		t.Run(name, func(t *testing.T) {
			var files []Evidence
			for i, f := range c.files {
				compareStored(t, filepath.Join("chains", name, fmt.Sprintf("%d.json", i+1)), f)
				e, err := Verify(f, testKeys())
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, e)
			}
			var got []string
			for _, gap := range CheckChain(files, chainNow()) {
				got = append(got, gapText(gap))
				if gap.Detail == "" {
					t.Error("a gap without a text")
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func gapText(g Gap) string {
	text := fmt.Sprintf("%s %d", g.Kind, g.Sequence)
	if g.Last > g.Sequence {
		text += fmt.Sprintf("-%d", g.Last)
	}
	for i := range 6 {
		if g.Slot != "" && g.Slot == quarter(i) {
			text += fmt.Sprintf(" quarter %d", i)
		}
	}
	return strings.TrimSpace(text)
}
