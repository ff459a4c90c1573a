package page

import "github.com/lifeboat-backup/lifeboat/internal/drill/evidence"

// drillRow is a drill of the chain; the last one is the page's own.
type drillRow struct {
	evidence.Past
	This bool
}

func drillRows(e evidence.Evidence) []drillRow {
	var out []drillRow
	p := e.Statement.Predicate
	for _, past := range p.Past {
		out = append(out, drillRow{Past: past})
	}
	this := evidence.Past{Sequence: p.Chain.Sequence, Evidence: e.Digest, Asked: p.Drill.Asked, Verdict: p.Claim.Verdict, Level: p.Claim.Level, RTO: p.TimeToProof(), RPO: p.Measured.RPO.Worst()}
	return append(out, drillRow{this, true})
}

// trend is a measure over drills, against its objective.
type trend struct {
	Name      string
	Objective evidence.Millis // 0 for none
	Target    float64         // where the objective's line is, in percent from the top
	Columns   []column
	Width     float64 // of the drawing, in the unit of column.X
}

// column is the value of one drill; Top and Height are percent.
type column struct {
	X, Top, Height float64
	Sequence       evidence.Count
	Value          evidence.Millis
	Missed         bool // above the objective
	This           bool
}

const (
	columnPitch = 10.0
	leastDrills = 12   // as wide as so many columns a drawing is at least
	headroom    = 1.15 // of the scale above the largest value
)

func trends(drills []drillRow, o evidence.Objective) []trend {
	return []trend{
		newTrend("RTO: from asked to proven", o.RTO, drills, func(d drillRow) evidence.Millis { return d.RTO }),
		newTrend("RPO: age of the data, or the worst gap", o.RPO, drills, func(d drillRow) evidence.Millis { return d.RPO }),
	}
}

func newTrend(name string, objective evidence.Millis, drills []drillRow, value func(drillRow) evidence.Millis) trend {
	top := max(objective, 1)
	for _, d := range drills {
		top = max(top, value(d))
	}
	scale := evidence.Millis(float64(top) * headroom)
	t := trend{Name: name, Objective: objective, Target: 100 - percent(objective, scale), Width: columnPitch * float64(max(len(drills), leastDrills))}
	for i, d := range drills {
		v := value(d)
		height := percent(v, scale)
		t.Columns = append(t.Columns, column{
			X: columnPitch*float64(i) + 1, Top: 100 - height, Height: height,
			Sequence: d.Sequence, Value: v, Missed: objective > 0 && v > objective, This: d.This,
		})
	}
	return t
}
