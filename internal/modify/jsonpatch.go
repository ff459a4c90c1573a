package modify

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// maxCopied bounds what the copies of one rule add to an object, in bytes: the API server
// takes no request of more than 3 MiB. Without it, copies of copies double an object with
// each line of a rule.
const maxCopied = 3 << 20

// errTest says that a test among the patches of a rule did not hold.
var errTest = errors.New("the test does not hold")

// operation is one of RFC 6902.
type operation struct {
	name       string // in lower case
	path, from []string
	value      any
}

// operations are the patches of one rule.
type operations []operation

// apply changes obj in place.
func (o operations) apply(obj map[string]any) (map[string]any, error) {
	var doc any = obj
	left := maxCopied
	for i := range o {
		var err error
		if doc, err = o[i].apply(doc, &left); err != nil {
			return nil, fmt.Errorf("patches[%d]: %s %s: %w", i, o[i].name, written(o[i].path), err)
		}
	}
	out, _ := doc.(map[string]any)
	return out, nil
}

func (o *operation) apply(doc any, left *int) (any, error) {
	switch o.name {
	case "add":
		return o.add(doc, runtime.DeepCopyJSONValue(o.value))
	case "replace":
		return edit(doc, o.path, func(c any, step string) (any, error) {
			return replaced(c, step, runtime.DeepCopyJSONValue(o.value))
		})
	case "remove":
		return edit(doc, o.path, removed)
	case "test":
		return doc, o.test(doc)
	}
	v, err := at(doc, o.from)
	if err != nil {
		return nil, fmt.Errorf("from %w", err)
	}
	if o.name == "copy" {
		if *left -= size(v, *left); *left <= 0 {
			return nil, fmt.Errorf("the copies of this rule take more than %d bytes", maxCopied)
		}
		return o.add(doc, runtime.DeepCopyJSONValue(v))
	}
	if doc, err = edit(doc, o.from, removed); err != nil {
		return nil, err
	}
	return o.add(doc, v)
}

func (o *operation) add(doc, v any) (any, error) {
	return edit(doc, o.path, func(c any, step string) (any, error) { return added(c, step, v) })
}

// test: a field that is not there is as good as null.
func (o *operation) test(doc any) error {
	last := len(o.path) - 1
	container, err := at(doc, o.path[:last])
	if err != nil {
		return err
	}
	v, err := child(container, o.path[last])
	if _, isMap := container.(map[string]any); err != nil && !isMap {
		return err
	}
	if !resource.Same(v, o.value) {
		return errTest
	}
	return nil
}

// size is about how many bytes a value takes in JSON, as far as most; strings count
// without their escapes.
func size(v any, most int) int {
	n := 8
	switch x := v.(type) {
	case string:
		n += len(x)
	case []any:
		for i := 0; i < len(x) && n < most; i++ {
			n += size(x[i], most-n)
		}
	case map[string]any:
		for key, item := range x {
			if n += len(key) + size(item, most-n); n >= most {
				break
			}
		}
	}
	return n
}
