package show

import (
	"encoding/json"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// printResults prints Velero's warnings and errors by where they happened. A document
// that is not readable is shown as such, not dropped.
func (p *page) printResults(raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	var doc report.Results
	if err := json.Unmarshal(raw, &doc); err != nil {
		p.printf("\nWarnings and errors: not readable: %v\n", err)
		return
	}
	p.printProblems("Warnings", doc.Warnings)
	p.printProblems("Errors", doc.Errors)
}

func (p *page) printProblems(title string, r report.Result) {
	if r.Count() == 0 {
		return
	}
	p.printHeading(title)
	p.printLines("  Velero", r.Velero)
	p.printLines("  Cluster", r.Cluster)
	var namespaces []string
	for ns := range r.Namespaces {
		namespaces = append(namespaces, ns)
	}
	slices.Sort(namespaces)
	for _, ns := range namespaces {
		p.printLines("  Namespace "+ns, r.Namespaces[ns])
	}
}

func (p *page) printLines(where string, lines []string) {
	if len(lines) == 0 {
		return
	}
	p.printf("%s:\n", Clean(where))
	for _, line := range lines {
		p.printf("    %s\n", Clean(line))
	}
}
