package modify

import "k8s.io/apimachinery/pkg/runtime"

// mergePatches are the merge patches of one rule.
type mergePatches []map[string]any

func (m mergePatches) apply(obj, _ map[string]any) (map[string]any, error) {
	for _, patch := range m {
		obj = Merge(obj, runtime.DeepCopyJSON(patch))
	}
	return obj, nil
}

// Merge is an object with a merge patch (RFC 7386): null removes a field, objects are
// merged, and everything else, lists too, takes the place of what was there. Neither
// argument is changed; the result shares what it has of them.
func Merge(obj, patch map[string]any) map[string]any {
	out := make(map[string]any, len(obj))
	for k, v := range obj {
		out[k] = v
	}
	for k, v := range patch {
		sub, isMap := v.(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case isMap:
			old, _ := out[k].(map[string]any)
			out[k] = Merge(old, sub)
		default:
			out[k] = v
		}
	}
	return out
}
