package modify

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxSteps bounds a pointer: no schema of Kubernetes is nested deeper than a fraction of it.
const maxSteps = 256

// errMissing is the cause where a pointer leads to nothing.
var errMissing = errors.New("there is no such place in the object")

// parsePointer reads a JSON pointer (RFC 6901) that leads to a place within an object.
func parsePointer(text string) ([]string, error) {
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

// lookUp follows the steps of a pointer.
func lookUp(node any, steps []string) (any, error) {
	for _, step := range steps {
		next, err := childOf(node, step)
		if err != nil {
			return nil, err
		}
		node = next
	}
	return node, nil
}

func childOf(node any, step string) (any, error) {
	switch n := node.(type) {
	case map[string]any:
		if v, ok := n[step]; ok {
			return v, nil
		}
	case []any:
		i, err := strconv.Atoi(step)
		if err != nil {
			return nil, fmt.Errorf("%q is no position in a list", step)
		}
		if i < 0 {
			i += len(n) // -1 is the last, as in Velero
		}
		if i >= 0 && i < len(n) {
			return n[i], nil
		}
	}
	return nil, errMissing
}
