package evidence

import (
	"reflect"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/golden"
	"github.com/lifeboat-backup/lifeboat/internal/golden/schema"
)

const schemaFile = "../../../docs/schemas/restore-drill-v1.json"

// TestSchema writes the published schema out of the types and their comments, and compares.
func TestSchema(t *testing.T) {
	w := &schema.Writer{Comments: schema.ReadComments(t, "statement.go", "value.go"), Special: schemaOfValue, NonEmpty: true}
	root := w.Object(reflect.TypeFor[Statement]())
	head := schema.Ordered{
		{Name: "$schema", Value: "https://json-schema.org/draft/2020-12/schema"},
		{Name: "$id", Value: PredicateType},
		{Name: "title", Value: "Evidence of a restore drill"},
		{Name: "description", Value: "The payload of the DSSE envelope. docs/EVIDENCE.md has the rules that a schema cannot express. Fields stand in this order."},
	}
	golden.CompareJSON(t, schemaFile, "the published schema is that of the types", append(append(head, root...), schema.Member{Name: "$defs", Value: w.Defs}))
}

// schemaOfValue is the schema of numbers and strings: none is empty, and some have a form.
func schemaOfValue(w *schema.Writer, t reflect.Type, optional bool) schema.Ordered {
	pattern := func(form string) schema.Ordered {
		return w.Define(t, func() schema.Ordered {
			return schema.Ordered{{Name: "type", Value: "string"}, {Name: "pattern", Value: form}}
		})
	}
	switch value := reflect.Zero(t).Interface().(type) {
	case enumerated:
		return w.Define(t, func() schema.Ordered { return schema.Ordered{{Name: "enum", Value: value.values()}} })
	case Digest:
		return pattern(digestForm)
	case Moment:
		return pattern(momentForm)
	}
	switch t.Kind() {
	case reflect.Int64:
		least := 0
		if optional {
			least = 1
		}
		return schema.Ordered{{Name: "type", Value: "integer"}, {Name: "minimum", Value: least}, {Name: "maximum", Value: maxNumber}}
	case reflect.String:
		return schema.Ordered{{Name: "type", Value: "string"}, {Name: "minLength", Value: 1}}
	}
	return nil
}
