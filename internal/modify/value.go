package modify

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/json" // whole numbers stay whole
)

// value reads the text that stands for a value in a rule. What is JSON is that: null,
// true, numbers, objects, lists, and "texts in quotes", by which a number or a truth can
// be had as a text. Anything else is a text of its own, in which JSON's escapes count (\n
// is a new line), as they do in Velero.
func value(text string) (any, error) {
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

// pointer reads a JSON pointer (RFC 6901) that leads to a place within an object.
func pointer(text string) ([]string, error) {
	switch {
	case text == "":
		return nil, errors.New("is empty: write a JSON pointer such as /spec/replicas")
	case text[0] != '/':
		return nil, fmt.Errorf("is %q: a JSON pointer begins with a slash, as in /spec/replicas", text)
	}
	steps := strings.Split(text[1:], "/")
	if len(steps) > maxSteps {
		return nil, fmt.Errorf("has %d steps; at most %d make sense", len(steps), maxSteps)
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for i := range steps {
		steps[i] = unescape.Replace(steps[i])
	}
	return steps, nil
}

// maxSteps bounds a pointer: no schema of Kubernetes is nested deeper than a fraction of it.
const maxSteps = 256
