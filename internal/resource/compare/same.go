// Package compare compares objects as decoded JSON: by value, as the merge patch that makes
// one of the other, and field by field. What the rules of kinds leave to the cluster is for
// package resource to take out before.
package compare

import "slices"

// Same compares decoded JSON: a null is as good as a missing field, and numbers are
// compared by value, because one side may have been decoded to integers. Two integers are
// compared as such: above 2^53 one floating-point number stands for several of them.
func Same(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && sameMaps(x, y)
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, Same)
	}
	if x, ok := asInt(a); ok {
		if y, ok := asInt(b); ok {
			return x == y
		}
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

func asInt(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	}
	return 0, false
}

func asFloat(v any) (float64, bool) {
	if n, ok := asInt(v); ok {
		return float64(n), true
	}
	n, ok := v.(float64)
	return n, ok
}
