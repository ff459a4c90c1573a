package resource

import (
	"k8s.io/apimachinery/pkg/util/json"
)

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
	meta, _ := obj["metadata"].(map[string]any)
	return meta["deletionTimestamp"] != nil
}

// LabelsOf are the labels of an unstructured object.
func LabelsOf(obj map[string]any) map[string]string {
	meta, _ := obj["metadata"].(map[string]any)
	return StringMapOf(meta["labels"])
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
