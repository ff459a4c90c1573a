package resource

// Masked stands in place of a secret value.
const Masked = "<masked>"

// Mask hides the values of a Secret in place, and the copy of them that kubectl
// left in an annotation, for display. Keys stay readable. Other types are left
// as they are.
func Mask(resource string, obj map[string]any) {
	if resource != "secrets" {
		return
	}
	for _, field := range []string{"data", "stringData"} {
		values := child(obj, field)
		if values == nil && obj[field] != nil {
			obj[field] = Masked // not a map: no key to show, and nothing to leak
		}
		for key := range values {
			values[key] = Masked
		}
	}
	if annotations := walk(obj, "metadata", "annotations"); annotations[annotationLastApplied] != nil {
		annotations[annotationLastApplied] = Masked
	}
}
