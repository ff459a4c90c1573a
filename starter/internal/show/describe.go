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
// spaces a level. The first error of the writer is kept for end.
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

// value prints "label:  text"; an empty text is <none>.
func (p *page) value(level int, label, text string) {
	p.printf("%s%s:\t%s\n", strings.Repeat("  ", level), Clean(label), Or(Clean(text), "<none>"))
}

// some prints a value only where there is one.
func (p *page) some(level int, label, text string) {
	if text != "" {
		p.value(level, label, text)
	}
}

func (p *page) heading(text string) { p.printf("\n%s:\n", text) }

func (p *page) list(level int, label string, values []string, none string) {
	p.value(level, label, Or(strings.Join(values, ", "), none))
}

// labels prints one pair a line.
func (p *page) labels(label string, set map[string]string) {
	if len(set) == 0 {
		p.value(0, label, "")
		return
	}
	pairs := LabelPairs(set)
	p.value(0, label, pairs[0])
	for _, pair := range pairs[1:] {
		p.printf("\t%s\n", Clean(pair))
	}
}

// meta prints what tells one document from another.
func (p *page) meta(m metav1.ObjectMeta) {
	p.value(0, "Name", m.Name)
	p.labels("Labels", m.Labels)
	p.labels("Annotations", m.Annotations)
}

// outcome prints how a backup or restore went.
func (p *page) outcome(phase, failure string, invalid []string, errs, warnings int) {
	p.value(0, "Phase", phase)
	p.some(0, "Failure reason", failure)
	for _, problem := range invalid {
		p.value(0, "Validation error", problem)
	}
	p.value(0, "Errors", strconv.Itoa(errs))
	p.value(0, "Warnings", strconv.Itoa(warnings))
}

// facts prints what is known beside the document, volumes apart, and ends the page.
func (p *page) facts(f Facts) error {
	p.details(f.Details)
	p.results(f.Results)
	p.resources(f.Resources)
	return p.end()
}

// resources prints Velero's list of objects by kind; nil was not asked for.
func (p *page) resources(list map[string][]string) {
	if list == nil {
		return
	}
	p.heading("Resource List")
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

func (p *page) end() error {
	if p.err == nil {
		p.err = p.w.Flush()
	}
	if p.err != nil {
		return fmt.Errorf("print description: %w", p.err)
	}
	return nil
}

func tristate(b *bool, absent string) string {
	if b == nil {
		return absent
	}
	return strconv.FormatBool(*b)
}
