package listing

import (
	"fmt"

	"k8s.io/apimachinery/pkg/labels"
)

// LabelMatcher decides about the labels of a row.
type LabelMatcher func(map[string]string) bool

// ParseMatcher reads the flag --selector.
func ParseMatcher(selector string) (LabelMatcher, error) {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return nil, fmt.Errorf("--selector: %w", err)
	}
	return func(set map[string]string) bool { return parsed.Matches(labels.Set(set)) }, nil
}
