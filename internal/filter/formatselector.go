package filter

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
