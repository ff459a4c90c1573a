package modify

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/json" // whole numbers stay whole
)

// parseValue reads the text that stands for a value in a rule. What is JSON is that: null,
// true, numbers, objects, lists, and "texts in quotes", by which a number or a truth can
// be had as a text. Anything else is a text of its own, in which JSON's escapes count (\n
// is a new line), as they do in Velero.
func parseValue(text string) (any, error) {
	var v any
	err := json.Unmarshal([]byte(text), &v)
	if err == nil {
		return v, nil
	}
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return nil, fmt.Errorf("begins like JSON but is none: %w; correct it, or set it in quotes to have it as a text", err)
	}
	if err := json.Unmarshal([]byte(`"`+text+`"`), &v); err == nil {
		return v, nil
	}
	return text, nil
}
