package resource

import (
	"maps"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Modified is what the resource modifiers made of an object.
type Modified struct {
	Object map[string]any
	// Rules are the positions of those that met the object, whether they failed or not.
	Rules []int
	// Errors are those of rules that failed and changed nothing.
	Errors []error
}

// applyModifiers applies the resource modifiers in place and gives the object's new metadata.
func (c *Context) applyModifiers(resource string, stored, obj map[string]any, out *Outcome) map[string]any {
	if c.Modify == nil {
		return child(obj, "metadata")
	}
	m := c.Modify(resource, stored, obj)
	out.Modifiers = m.Rules
	for _, err := range m.Errors {
		out.Errors = append(out.Errors, Note{Code: report.ModifierFailed, Text: err.Error()})
	}
	modified := maps.Clone(m.Object) // it may be obj itself
	clear(obj)
	maps.Copy(obj, modified)
	return child(obj, "metadata")
}
