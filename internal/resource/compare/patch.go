package compare

import "k8s.io/apimachinery/pkg/runtime"

// MergePatch is the merge patch (RFC 7386) that makes want of live; a removed field is null.
func MergePatch(live, want map[string]any) map[string]any {
	patch := map[string]any{}
	for key, value := range want {
		old, ok := live[key]
		if ok && Same(old, value) || !ok && value == nil {
			continue
		}
		oldMap, isMap := old.(map[string]any)
		newMap, both := value.(map[string]any)
		if isMap && both {
			patch[key] = MergePatch(oldMap, newMap)
			continue
		}
		patch[key] = runtime.DeepCopyJSONValue(value)
	}
	for key, value := range live {
		if _, ok := want[key]; !ok && value != nil {
			patch[key] = nil
		}
	}
	return patch
}

// Prune takes out of a patch what the live object has already: fields that the
// rule had taken from the copy it was compared with.
func Prune(patch, live map[string]any) {
	for key, value := range patch {
		nested, isMap := value.(map[string]any)
		liveMap, liveIsMap := live[key].(map[string]any)
		switch {
		case isMap && liveIsMap:
			Prune(nested, liveMap)
			if len(nested) == 0 {
				delete(patch, key)
			}
		case value != nil && Same(live[key], value):
			delete(patch, key)
		}
	}
}
