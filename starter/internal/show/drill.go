package show

import (
	"fmt"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// DrillHeader is that of a table of drills.
func DrillHeader() []string {
	return []string{"DRILL", "NAME", "BACKUP", "ASKED", "LEVEL", "VERDICT", "RTO", "RPO"}
}

// DrillCells is a row of that table.
func DrillCells(d contract.DrillSummary) []string {
	number := Count(d.Number)
	if d.Damage != "" {
		return []string{number, "<none>", "<none>", "<none>", "<none>", "unreadable", "n/a", "n/a"}
	}
	return []string{number, d.Name, d.Backup, Time(d.Asked), d.Level, d.Verdict, measured(d.RTO), measured(d.RPO)}
}

func measured(m evidence.Millis) string {
	if m == 0 {
		return "n/a"
	}
	return roundClock(m)
}

// barWidth is how long the longest bar of a trend is, in characters.
const barWidth = 30

// DrillTrend draws RTO and RPO of drills, which come with the newest first; the oldest is drawn
// first.
func DrillTrend(rows []contract.DrillSummary) string {
	var out strings.Builder
	draw := func(title string, value, objective func(contract.DrillSummary) evidence.Millis) {
		var top evidence.Millis = 1
		for _, d := range rows {
			top = max(top, value(d))
		}
		fmt.Fprintf(&out, "%s\n", title)
		for i := len(rows) - 1; i >= 0; i-- {
			d := rows[i]
			bar := strings.Repeat("#", int(value(d)*barWidth/top))
			text := fmt.Sprintf("  drill %-4d %s  %-*s %s", d.Number, day(d), barWidth, bar, measured(value(d)))
			switch o := objective(d); {
			case d.Damage != "":
				text += "  the evidence cannot be read"
			case o > 0 && value(d) > o:
				text += "  above its objective of " + roundClock(o)
			}
			out.WriteString(Clean(text) + "\n")
		}
	}
	draw("RTO, from asked to proven", func(d contract.DrillSummary) evidence.Millis { return d.RTO }, func(d contract.DrillSummary) evidence.Millis { return d.ObjectiveRTO })
	draw("RPO, age of the data or the worst gap", func(d contract.DrillSummary) evidence.Millis { return d.RPO }, func(d contract.DrillSummary) evidence.Millis { return d.ObjectiveRPO })
	return out.String()
}

func day(d contract.DrillSummary) string {
	if d.Asked.IsZero() {
		return "          "
	}
	return d.Asked.UTC().Format("2006-01-02")
}

// Drill is what there is to say of a drill, and what to do about what speaks against it.
func Drill(d *contract.DrillDetails) string {
	var out strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&out, "%-12s %s\n", name+":", Clean(fmt.Sprintf(format, args...)))
	}
	line("Drill", "%d, %s, asked for %s", d.Number, d.Name, Time(d.Asked))
	line("Backup", "%s", d.Backup)
	line("Verdict", "%s: %s is proven, %s is wanted", d.Verdict, d.Level, d.Objective)
	line("RTO", "%s, objective %s", measured(d.RTO), orNoObjective(d.ObjectiveRTO))
	line("RPO", "%s, objective %s", measured(d.RPO), orNoObjective(d.ObjectiveRPO))
	for _, f := range d.Against {
		line("Against it", "[%s] %s", f.Code, f.Detail)
		line("  next", "%s", f.Next)
	}
	for _, l := range d.Levels {
		line("Level", "%s %s, %s of %s%s", l.Level, l.Outcome, Count(int64(l.Good)), Count(int64(l.Checked)), after(": ", l.Detail))
	}
	for _, p := range d.Phases {
		line("Phase", "%-11s %s", p.Name, roundClock(p.Finished.Since(p.Started)))
	}
	for _, a := range d.Assertions {
		line("Assertion", "%s: %s, recorded %q, found %q%s", a.Name, a.Outcome, a.Recorded, a.Found, after(": ", a.Detail))
	}
	if d.MoreAssertions > 0 {
		line("Assertion", "and %s more", Count(int64(d.MoreAssertions)))
	}
	line("Teardown", "%s", d.Teardown.Outcome)
	for _, l := range d.Teardown.Left {
		line("  left", "%s %s: %s", l.Type, l.Name, l.Detail)
	}
	line("Control", "%s%s", d.Control.Outcome, after(": ", d.Control.Detail))
	line("Workflow", "%s, run %s", Or(d.Workflow, "unknown"), Or(d.Run, "unknown"))
	line("Evidence", "%s in storage location %s, SHA-256 %s", d.Key, d.Location, d.SHA256)
	out.WriteString("\nNext: fetch that file; 'lifeboat drill verify --key KEY FILE' says who signed it, 'lifeboat drill report FILE --html page.html' makes a page of it\n")
	return out.String()
}

// after is a text behind a separator, nothing for none.
func after(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
}
