package filter

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// selectors are alternatives: an object is selected when one of them matches.
// No selector at all selects everything.
type selectors []labels.Selector

// newSelectors reads a spec's two selector fields, of which validation has
// left at most one. An empty selector selects everything and so makes the
// others superfluous.
func newSelectors(one *metav1.LabelSelector, or []*metav1.LabelSelector) (selectors, error) {
	all := or
	if one != nil {
		all = []*metav1.LabelSelector{one}
	}
	var out selectors
	for _, s := range all {
		parsed, err := metav1.LabelSelectorAsSelector(s)
		if err != nil {
			return nil, fmt.Errorf("read label selector: %w", err)
		}
		if parsed.Empty() {
			return nil, nil
		}
		out = append(out, parsed)
	}
	return out, nil
}

func parseSelectors(texts []string) (selectors, error) {
	var out selectors
	for _, text := range texts {
		parsed, err := labels.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("read label selector: %w", err)
		}
		out = append(out, parsed)
	}
	return out, nil
}

func (s selectors) texts() []string {
	var out []string
	for _, sel := range s {
		out = append(out, sel.String())
	}
	return out
}

func (s selectors) matchesAny(l map[string]string) bool {
	return len(s) == 0 || s.firstMatch(l) >= 0
}

// firstMatch is the index of the first selector that matches, or -1.
func (s selectors) firstMatch(l map[string]string) int {
	for i, sel := range s {
		if sel.Matches(labels.Set(l)) {
			return i
		}
	}
	return -1
}

// FormatSelector writes a spec's label selector, or its alternatives, as people type
// them; "" when there are none.
func FormatSelector(one *metav1.LabelSelector, or []*metav1.LabelSelector) string {
	if one != nil {
		return metav1.FormatLabelSelector(one)
	}
	var parts []string
	for _, s := range or {
		parts = append(parts, metav1.FormatLabelSelector(s))
	}
	return strings.Join(parts, " or ")
}
