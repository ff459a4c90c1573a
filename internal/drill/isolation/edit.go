package isolation

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// editor changes one object and notes each change.
type editor struct {
	rules       *Rules
	changes     []Change
	emptyVolume bool
}

// set gives a field a value, and drop takes it away. parent may be nil, field is below path.
func (e *editor) set(rule string, parent map[string]any, path, field string, value any) {
	before, there := parent[field]
	if parent == nil || there && reflect.DeepEqual(before, value) {
		return
	}
	parent[field] = value
	e.note(rule, path+"."+field, before, value)
}

func (e *editor) drop(rule string, parent map[string]any, path string, fields ...string) {
	for _, field := range fields {
		if before, there := parent[field]; there {
			delete(parent, field)
			e.note(rule, path+"."+field, before, nil)
		}
	}
}

// keepItems takes the items of a list away that keep refuses, and the list when none is left.
func (e *editor) keepItems(rule string, parent map[string]any, path, field string, keep func(item any) bool) {
	items := list(parent, field)
	var kept []any
	for i, item := range items {
		if keep(item) {
			kept = append(kept, item)
			continue
		}
		e.note(rule, fmt.Sprintf("%s.%s[%d]", path, field, i), item, nil)
	}
	switch {
	case len(kept) == len(items):
	case len(kept) == 0:
		delete(parent, field)
	default:
		parent[field] = kept
	}
}

func (e *editor) note(rule, field string, before, after any) {
	e.changes = append(e.changes, Change{Rule: rule, Field: strings.TrimPrefix(field, "."), Before: asText(before), After: asText(after)})
}

// longestValue bounds a value in a Change, in bytes.
const longestValue = 200

func asText(v any) string {
	text, ok := v.(string)
	if !ok && v != nil {
		body, _ := json.Marshal(v) // decoded JSON can be encoded
		text = string(body)
	}
	if len(text) > longestValue {
		text = strings.ToValidUTF8(text[:longestValue], "") + "…"
	}
	return text
}

// What follows reads decoded JSON that other programs wrote: any field may be missing or of
// another type than its API says.

func child(m map[string]any, key string) map[string]any {
	c, _ := m[key].(map[string]any)
	return c
}

func list(m map[string]any, key string) []any {
	l, _ := m[key].([]any)
	return l
}

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// eachObject calls fn for the objects of a list, with their paths.
func eachObject(m map[string]any, path, key string, fn func(o map[string]any, path string)) {
	for i, item := range list(m, key) {
		if o, ok := item.(map[string]any); ok {
			fn(o, fmt.Sprintf("%s.%s[%d]", path, key, i))
		}
	}
}

func namespaceOf(obj map[string]any) string { return text(child(obj, "metadata"), "namespace") }

// nameOf is namespace/name, or the name of a cluster-scoped object.
func nameOf(obj map[string]any) string {
	return report.ObjectName(namespaceOf(obj), text(child(obj, "metadata"), "name"))
}
