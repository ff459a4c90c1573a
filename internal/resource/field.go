package resource

import "k8s.io/apimachinery/pkg/util/json"

// The helpers below read decoded JSON that other programs wrote: any field may
// be missing or of another type than its API says. They answer with a zero
// value then, so that a rule needs no type checks and cannot panic.

// child is the object under key, or nil. A nil map may be read and deleted from.
func child(m map[string]any, key string) map[string]any {
	c, _ := m[key].(map[string]any)
	return c
}

// walk follows keys through nested objects.
func walk(m map[string]any, keys ...string) map[string]any {
	for _, key := range keys {
		m = child(m, key)
	}
	return m
}

// str is the string under key, or "".
func str(m map[string]any, key string) string { return StringOf(m[key]) }

// boolean is the boolean under key, or false.
func boolean(m map[string]any, key string) bool {
	b, _ := m[key].(bool)
	return b
}

// list is the array under key, or nil.
func list(m map[string]any, key string) []any {
	l, _ := m[key].([]any)
	return l
}

// objects are the objects of the array under key; other elements are left out.
func objects(m map[string]any, key string) []map[string]any {
	items := list(m, key)
	out := make([]map[string]any, 0, len(items))
	for _, item := range items {
		if o, ok := item.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

// number is the whole number under key, however it was decoded.
func number(m map[string]any, key string) (int64, bool) {
	switch n := m[key].(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), n == float64(int64(n))
	case int:
		return int64(n), true
	}
	return 0, false
}

// drop deletes keys and says whether one of them was there.
func drop(m map[string]any, keys ...string) bool {
	before := len(m)
	for _, key := range keys {
		delete(m, key)
	}
	return len(m) != before
}

// dropEmpty deletes key when it holds an empty object or array: what is left
// after a rule took the last entry away.
func dropEmpty(m map[string]any, key string) {
	switch v := m[key].(type) {
	case map[string]any:
		if len(v) == 0 {
			delete(m, key)
		}
	case []any:
		if len(v) == 0 {
			delete(m, key)
		}
	}
}

// keepItems filters the array under key in place and drops it when it is empty.
func keepItems(m map[string]any, key string, keep func(any) bool) {
	items, ok := m[key].([]any)
	if !ok {
		return
	}
	kept := make([]any, 0, len(items))
	for _, item := range items {
		if keep(item) {
			kept = append(kept, item)
		}
	}
	m[key] = kept
	dropEmpty(m, key)
}

// dropAnnotations deletes annotations, and the map when none is left.
func dropAnnotations(obj map[string]any, keys ...string) {
	meta := child(obj, "metadata")
	if drop(child(meta, "annotations"), keys...) {
		dropEmpty(meta, "annotations")
	}
}

// dropLabels deletes labels, and the map when none is left.
func dropLabels(meta map[string]any, keys ...string) bool {
	dropped := drop(child(meta, "labels"), keys...)
	if dropped {
		dropEmpty(meta, "labels")
	}
	return dropped
}

func annotation(obj map[string]any, key string) string {
	return str(walk(obj, "metadata", "annotations"), key)
}

func label(obj map[string]any, key string) string {
	return str(walk(obj, "metadata", "labels"), key)
}

func name(obj map[string]any) string { return str(child(obj, "metadata"), "name") }

func namespace(obj map[string]any) string { return str(child(obj, "metadata"), "namespace") }

// condition is the status of a condition ("True", "False", "Unknown" or "").
func condition(status map[string]any, kind string) string {
	for _, c := range objects(status, "conditions") {
		if str(c, "type") == kind {
			return str(c, "status")
		}
	}
	return ""
}

// StringOf is a string field of an unstructured object; what is no string is empty.
func StringOf(v any) string {
	s, _ := v.(string)
	return s
}

// DecodeLabels reads the labels of a stored object; one that does not decode has none.
func DecodeLabels(body []byte) map[string]string {
	var obj struct {
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
	}
	if json.Unmarshal(body, &obj) != nil {
		return nil
	}
	return obj.Metadata.Labels
}

// IsDeleting says whether an object is being deleted.
func IsDeleting(obj map[string]any) bool {
	return child(obj, "metadata")["deletionTimestamp"] != nil
}

// LabelsOf are the labels of an unstructured object.
func LabelsOf(obj map[string]any) map[string]string {
	return StringMapOf(child(obj, "metadata")["labels"])
}

// StringMapOf is a map field of an unstructured object with its strings.
func StringMapOf(v any) map[string]string {
	m, _ := v.(map[string]any)
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = StringOf(v)
	}
	return out
}
