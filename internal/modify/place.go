package modify

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// errMissing is the cause where a pointer leads to nothing.
var errMissing = errors.New("there is no such place in the object")

// at follows a pointer.
func at(node any, steps []string) (any, error) {
	for i, step := range steps {
		next, err := child(node, step)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", written(steps[:i+1]), err)
		}
		node = next
	}
	return node, nil
}

func child(node any, step string) (any, error) {
	switch n := node.(type) {
	case map[string]any:
		if v, ok := n[step]; ok {
			return v, nil
		}
	case []any:
		i, err := index(step, len(n))
		if err != nil {
			return nil, err
		}
		return n[i], nil
	}
	return nil, errMissing
}

// index is the position that a step names in a list of n; -1 is the last, as in Velero.
func index(step string, n int) (int, error) {
	i, err := strconv.Atoi(step)
	if err != nil || strings.HasPrefix(step, "+") {
		return 0, fmt.Errorf("%q is no position in a list", step)
	}
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return 0, fmt.Errorf("the list has %d elements: %w", n, errMissing)
	}
	return i, nil
}

// edit is the node with the container that the pointer's last step is in as change makes
// it. The node is changed in place.
func edit(node any, steps []string, change func(container any, step string) (any, error)) (any, error) {
	if len(steps) == 1 {
		return change(node, steps[0])
	}
	old, err := child(node, steps[0])
	if err != nil {
		return nil, err
	}
	now, err := edit(old, steps[1:], change)
	if err != nil {
		return nil, err
	}
	return replaced(node, steps[0], now)
}

// added is a container with one more value; '-' is the end of a list.
func added(container any, step string, v any) (any, error) {
	switch c := container.(type) {
	case map[string]any:
		c[step] = v
		return c, nil
	case []any:
		if step == "-" {
			return append(c, v), nil
		}
		i, err := index(step, len(c)+1)
		if err != nil {
			return nil, err
		}
		return slices.Insert(c, i, v), nil
	}
	return nil, errMissing
}

func removed(container any, step string) (any, error) {
	if _, err := child(container, step); err != nil {
		return nil, err
	}
	if list, ok := container.([]any); ok {
		i, err := index(step, len(list))
		return slices.Delete(list, i, i+1), err
	}
	m, _ := container.(map[string]any)
	delete(m, step)
	return m, nil
}

func replaced(container any, step string, v any) (any, error) {
	if _, err := child(container, step); err != nil {
		return nil, err
	}
	if list, ok := container.([]any); ok {
		i, err := index(step, len(list))
		list[i] = v
		return list, err
	}
	m, _ := container.(map[string]any)
	m[step] = v
	return m, nil
}

// written is a pointer as people write it.
func written(steps []string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var out strings.Builder
	for _, step := range steps {
		out.WriteString("/" + escape.Replace(step))
	}
	return out.String()
}
