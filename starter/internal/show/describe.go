package show

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// page collects a description: headings and labelled values, indented by two
// spaces a level. The first error of the writer is kept for flushPage.
type page struct {
	w   *tabwriter.Writer
	err error
}

func newPage(w io.Writer) *page {
	return &page{w: tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
}

func (p *page) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// printValue prints "label:  text"; an empty text is <none>.
func (p *page) printValue(level int, label, text string) {
	p.printf("%s%s:\t%s\n", strings.Repeat("  ", level), Clean(label), Or(Clean(text), "<none>"))
}

// printIfSet prints a value only where there is one.
func (p *page) printIfSet(level int, label, text string) {
	if text != "" {
		p.printValue(level, label, text)
	}
}

func (p *page) printHeading(text string) { p.printf("\n%s:\n", text) }

// printList prints values on one line; none stands for an empty list.
func (p *page) printList(level int, label string, values []string, none string) {
	p.printValue(level, label, Or(strings.Join(values, ", "), none))
}

// printLabels prints each label on a line of its own.
func (p *page) printLabels(label string, set map[string]string) {
	if len(set) == 0 {
		p.printValue(0, label, "")
		return
	}
	pairs := LabelPairs(set)
	p.printValue(0, label, pairs[0])
	for _, pair := range pairs[1:] {
		p.printf("\t%s\n", Clean(pair))
	}
}

// printMetadata prints what tells one document from another.
func (p *page) printMetadata(m metav1.ObjectMeta) {
	p.printValue(0, "Name", m.Name)
	p.printLabels("Labels", m.Labels)
	p.printLabels("Annotations", m.Annotations)
}

// printOutcome prints how a backup or restore went.
func (p *page) printOutcome(phase, failure string, invalid []string, errs, warnings int) {
	p.printValue(0, "Phase", phase)
	p.printIfSet(0, "Failure reason", failure)
	for _, problem := range invalid {
		p.printValue(0, "Validation error", problem)
	}
	p.printValue(0, "Errors", strconv.Itoa(errs))
	p.printValue(0, "Warnings", strconv.Itoa(warnings))
}

// printFacts prints what is known beside the document, volumes apart, and ends the page.
func (p *page) printFacts(f Facts) error {
	p.printDetails(f.Details)
	p.printRehearsals(f.Rehearsals)
	p.printResults(f.Results)
	p.printResources(f.Resources)
	return p.flushPage()
}

// printResources prints Velero's list of objects by kind, nothing for nil: then nobody asked
// for the list.
func (p *page) printResources(list map[string][]string) {
	if list == nil {
		return
	}
	p.printHeading("Resource List")
	if len(list) == 0 {
		p.printf("  <none was stored>\n")
	}
	var kinds []string
	for kind := range list {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		p.printf("  %s (%d):\n", Clean(kind), len(list[kind]))
		for _, name := range list[kind] {
			p.printf("    - %s\n", Clean(name))
		}
	}
}

// flushPage writes the page and gives the first error of printing it.
func (p *page) flushPage() error {
	if p.err == nil {
		p.err = p.w.Flush()
	}
	if p.err != nil {
		return fmt.Errorf("print description: %w", p.err)
	}
	return nil
}

// tristateText is true, false, or absent for a field that was not set.
func tristateText(b *bool, absent string) string {
	if b == nil {
		return absent
	}
	return strconv.FormatBool(*b)
}
