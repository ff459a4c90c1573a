package manifest

import (
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ParseSelector reads a label selector as people type it.
func ParseSelector(text string) (*metav1.LabelSelector, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("the selector is empty: write app=web or leave it out")
	}
	parsed, err := metav1.ParseToLabelSelector(text)
	if err != nil {
		return nil, fmt.Errorf("%w; write selectors like app=web,tier!=cache or 'env in (a,b)'", err)
	}
	return parsed, nil
}

// FormatSelector is the reverse, for the one selector or the alternatives of a
// spec; "" when there are none.
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
