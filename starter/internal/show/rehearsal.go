package show

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// problemsShown bounds the problems that people are shown; the document has them all.
const problemsShown = 20

// Rehearsal prints what a rehearsal has found, for people.
func Rehearsal(w io.Writer, r contract.RehearsalResult) error {
	p := newPage(w)
	p.printf("Backup %q is proven at level %s on Kubernetes %s, in %s.\n", r.Backup, levelText(r.Level), Or(Clean(r.Kubernetes), "<none>"), r.Completed.Sub(r.Started).Round(time.Second))
	p.printCounts(0, r.Counts)
	if len(r.Changed) > 0 {
		p.printHeading("Changed on purpose")
		for _, c := range r.Changed {
			p.printValue(1, c.Resource+" "+c.Field, fmt.Sprintf("%s, by the %s", Plural(c.Objects, "object"), c.By))
		}
	}
	if len(r.Left) > 0 {
		p.printHeading("Not restored")
		for _, l := range r.Left {
			p.printValue(1, l.Resource, fmt.Sprintf("%s, %s: %s", Plural(l.Objects, "object"), l.Code, l.Reason))
		}
	}
	p.printFindings(r)
	if !r.Stored {
		p.printf("\nThe result is in the workflow's history only: the storage location is not written to.\n")
	}
	return p.flushPage()
}

func (p *page) printCounts(level int, n contract.RehearsalCounts) {
	for _, row := range []struct {
		label string
		n     int64
	}{
		{"Objects", n.Objects},
		{"Equal", n.Equal},
		{"Changed on purpose", n.Changed},
		{"Not restored", n.Left},
		{"Different", n.Different},
		{"Refused", n.Refused},
	} {
		p.printValue(level, row.label, strconv.FormatInt(row.n, 10))
	}
}

func (p *page) printFindings(r contract.RehearsalResult) {
	if len(r.Problems) == 0 {
		return
	}
	p.printHeading("Problems")
	for _, q := range r.Problems[:min(len(r.Problems), problemsShown)] {
		name := q.Name
		if q.Namespace != "" {
			name = q.Namespace + "/" + name
		}
		p.printf("  [%s] %s %s: %s\n", Clean(q.Code), Clean(q.Resource), Clean(name), Clean(q.Message))
		if q.Next != "" {
			p.printf("      Next: %s\n", Clean(q.Next))
		}
	}
	if more := len(r.Problems) - problemsShown + r.MoreProblems; more > 0 {
		p.printf("  and %d more; -o json has them\n", more)
	}
}

// levelText names a level of proof.
func levelText(level string) string {
	switch level {
	case "":
		return "none"
	case contract.LevelBytes:
		return "L0 (every byte agrees with the manifest)"
	case contract.LevelAccepted:
		return "L1 (an API server accepts every object)"
	case contract.LevelEqual:
		return "L2 (every object was created and is as the backup has it)"
	}
	return Clean(level)
}

// printRehearsals prints at what level a backup was proven, and when.
func (p *page) printRehearsals(all []contract.RehearsalSummary) {
	if len(all) == 0 {
		return
	}
	p.printHeading("Proven")
	for _, r := range all {
		p.printValue(1, "Level", levelText(r.Level))
		p.printValue(1, "At", Time(r.Completed))
		p.printValue(1, "Kubernetes", r.Kubernetes)
		p.printValue(1, "Problems", fmt.Sprintf("%d, %d of them errors", r.Problems, r.Errors))
	}
}

// Proven is the level that a rehearsal has proven of a backup, and when.
func Proven(b contract.BackupSummary, now time.Time) string {
	if b.Proven == nil {
		return "never"
	}
	return Or(b.Level, "none") + ", " + FromNow(*b.Proven, now)
}
