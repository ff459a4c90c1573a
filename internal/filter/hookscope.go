package filter

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// HookScope says to which pods a hook of a spec applies. The zero value applies
// to all. What such a scope may hold is checked by ValidateBackup and
// ValidateRestore.
type HookScope struct {
	namespaces rule
	selector   labels.Selector
}

// NewHookScope reads the filters of a hook; globs are allowed in the namespaces,
// and a nil selector selects everything. The only error is a selector that does
// not parse.
func NewHookScope(included, excluded []string, sel *metav1.LabelSelector) (HookScope, error) {
	s := HookScope{namespaces: rule{Include: newList(included), Exclude: newList(excluded)}}
	if sel == nil {
		return s, nil
	}
	parsed, err := metav1.LabelSelectorAsSelector(sel)
	if err != nil {
		return s, fmt.Errorf("read label selector: %w", err)
	}
	s.selector = parsed
	return s, nil
}

// Selects reports whether the hook applies to a pod of the namespace with the
// labels.
func (s HookScope) Selects(namespace string, l map[string]string) bool {
	return s.namespaces.selects(namespace) && (s.selector == nil || s.selector.Matches(labels.Set(l)))
}
