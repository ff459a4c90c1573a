package filter

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// ValidateMetadata refuses labels and annotations that Kubernetes would refuse: a document
// that has them can be read by no Velero. Paths begin with prefix.
func ValidateMetadata(prefix string, labels, annotations map[string]string) []FieldError {
	var errs []FieldError
	for key, value := range labels {
		if bad := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(bad) > 0 {
			errs = append(errs, FieldError{prefix + "labels[" + ShortenText(key) + "]", bad[0]})
		}
	}
	for key := range annotations {
		if bad := validation.IsQualifiedName(strings.ToLower(key)); len(bad) > 0 {
			errs = append(errs, FieldError{prefix + "annotations[" + ShortenText(key) + "]", bad[0]})
		}
	}
	slices.SortFunc(errs, func(a, b FieldError) int { return strings.Compare(a.Path, b.Path) })
	return errs
}
