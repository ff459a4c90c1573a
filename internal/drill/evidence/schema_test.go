package evidence

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/golden"
)

const schemaFile = "../../../docs/schemas/restore-drill-v1.json"

// TestSchema writes the published schema out of the types and their comments, and compares.
func TestSchema(t *testing.T) {
	s := schemaWriter{comments: typeComments(t), defs: ordered{}}
	root := s.object(reflect.TypeFor[Statement]())
	head := ordered{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", PredicateType},
		{"title", "Evidence of a restore drill"},
		{"description", "The payload of the DSSE envelope. docs/EVIDENCE.md has the rules that a schema cannot express. Fields stand in this order."},
	}
	golden.CompareJSON(t, schemaFile, "the published schema is that of the types", append(append(head, root...), member{"$defs", s.defs}))
}

// ordered is a JSON object whose fields keep their order.
type ordered []member

type member struct {
	name  string
	value any
}

func (o ordered) MarshalJSON() ([]byte, error) {
	var out strings.Builder
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := encode(m.name)
		if err != nil {
			return nil, err
		}
		value, err := encode(m.value)
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return []byte(out.String()), nil
}

type schemaWriter struct {
	comments map[string]string // of types, and of fields as Type.Field
	defs     ordered
}

func (s *schemaWriter) object(t reflect.Type) ordered {
	properties, required := ordered{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, optional := fieldName(f)
		if !optional {
			required = append(required, name)
		}
		entry := append(ordered{{"description", s.comments[t.Name()+"."+f.Name]}}, s.of(f.Type, optional)...)
		properties = append(properties, member{name, entry})
	}
	return ordered{{"type", "object"}, {"properties", properties}, {"required", required}, {"additionalProperties", false}}
}

func (s *schemaWriter) of(t reflect.Type, optional bool) ordered {
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem(), false)
	case reflect.Struct:
		s.define(t, func() ordered { return s.object(t) })
		return ref(t)
	case reflect.Slice:
		return ordered{{"type", "array"}, {"minItems", 1}, {"items", s.of(t.Elem(), false)}}
	case reflect.Bool:
		return ordered{{"type", "boolean"}}
	case reflect.Int64:
		least := 0
		if optional {
			least = 1
		}
		return ordered{{"type", "integer"}, {"minimum", least}, {"maximum", maxNumber}}
	default:
		return s.text(t)
	}
}

func (s *schemaWriter) text(t reflect.Type) ordered {
	switch value := reflect.Zero(t).Interface().(type) {
	case enumerated:
		s.define(t, func() ordered { return ordered{{"enum", value.values()}} })
		return ref(t)
	case Digest:
		s.define(t, func() ordered { return ordered{{"type", "string"}, {"pattern", digestForm}} })
		return ref(t)
	case Moment:
		s.define(t, func() ordered { return ordered{{"type", "string"}, {"pattern", momentForm}} })
		return ref(t)
	default:
		return ordered{{"type", "string"}, {"minLength", 1}}
	}
}

func ref(t reflect.Type) ordered { return ordered{{"$ref", "#/$defs/" + t.Name()}} }

func (s *schemaWriter) define(t reflect.Type, body func() ordered) {
	for _, m := range s.defs {
		if m.name == t.Name() {
			return
		}
	}
	s.defs = append(s.defs, member{t.Name(), nil})
	at := len(s.defs) - 1
	s.defs[at].value = append(ordered{{"description", s.comments[t.Name()]}}, body()...)
}

func typeComments(t *testing.T) map[string]string {
	out := map[string]string{}
	for _, file := range []string{"statement.go", "value.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.TYPE {
				continue
			}
			spec := gen.Specs[0].(*ast.TypeSpec)
			out[spec.Name.Name] = flat(gen.Doc)
			if body, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range body.Fields.List {
					out[spec.Name.Name+"."+f.Names[0].Name] = flat(f.Doc)
				}
			}
		}
	}
	return out
}

func flat(c *ast.CommentGroup) string {
	return strings.ReplaceAll(strings.TrimSpace(c.Text()), "\n", " ")
}
