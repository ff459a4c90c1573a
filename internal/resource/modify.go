package resource

import (
	"maps"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// applyModifiers applies the resource modifiers in place and gives the object's new metadata.
func (c *Context) applyModifiers(resource string, obj map[string]any, out *Outcome) map[string]any {
	if c.Modify == nil {
		return child(obj, "metadata")
	}
	modified, errs := c.Modify(resource, obj)
	for _, err := range errs {
		out.Errors = append(out.Errors, Note{Code: report.ModifierFailed, Text: err.Error()})
	}
	modified = maps.Clone(modified) // it may be obj itself
	clear(obj)
	maps.Copy(obj, modified)
	return child(obj, "metadata")
}
