package input

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// checkMetadata refuses labels and annotations that Kubernetes would refuse.
func checkMetadata(labels, annotations map[string]string) []filter.FieldError {
	var errs []filter.FieldError
	for key, value := range labels {
		if bad := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(bad) > 0 {
			errs = append(errs, filter.FieldError{Path: "metadata.labels[" + key + "]", Message: bad[0]})
		}
	}
	for key := range annotations {
		if bad := validation.IsQualifiedName(strings.ToLower(key)); len(bad) > 0 {
			errs = append(errs, filter.FieldError{Path: "metadata.annotations[" + key + "]", Message: bad[0]})
		}
	}
	slices.SortFunc(errs, func(a, b filter.FieldError) int { return strings.Compare(a.Path, b.Path) })
	return errs
}

// joinFieldErrors joins field errors into one, nil for none.
func joinFieldErrors(errs []filter.FieldError) error {
	if len(errs) == 0 {
		return nil
	}
	return filter.FieldErrors(errs)
}
