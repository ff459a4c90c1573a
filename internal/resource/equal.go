package resource

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
)

// Equal says whether a live object already is what a restore would make of it:
// want is an object after Restore. Server-owned metadata, status and the labels
// that name backup and restore are left out, and so is everything that the rule
// of the kind leaves to the cluster (a Pod's node, a Service's cluster IP).
// Neither object is changed.
func (r *Registry) Equal(resource string, live, want map[string]any) bool {
	return r.MergePatch(resource, live, want) == nil
}

// withoutClusterFields is a copy of a live object without what its kind's rule leaves to the
// cluster. A rule that would skip the object leaves it as it is so far; the copy
// is only compared.
func (r *Registry) withoutClusterFields(resource string, live map[string]any) map[string]any {
	obj := runtime.DeepCopyJSON(live)
	k := r.kinds[resource]
	if k.backup != nil {
		k.backup(obj) // what is not stored of an object is no difference either
	}
	if k.restore != nil && child(obj, "metadata") != nil {
		var ignored Outcome
		// An error means that no rule can make sense of the live object; it is compared as it is.
		if k.restore(&Context{}, obj, &ignored) != nil {
			obj = runtime.DeepCopyJSON(live)
		}
	}
	return obj
}

// Same compares decoded JSON: a null is as good as a missing field, and numbers are
// compared by value, because one side may have been decoded to integers.
func Same(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && sameMaps(x, y)
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, Same)
	}
	if x, ok := asFloat(a); ok {
		y, ok := asFloat(b)
		return ok && x == y
	}
	switch b.(type) {
	case map[string]any, []any: // not comparable with ==
		return false
	}
	return a == b
}

func sameMaps(a, b map[string]any) bool {
	for key, value := range a {
		if !Same(value, b[key]) {
			return false
		}
	}
	for key, value := range b {
		if _, ok := a[key]; !ok && value != nil {
			return false
		}
	}
	return true
}

func asFloat(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	case int:
		return float64(n), true
	}
	return 0, false
}
