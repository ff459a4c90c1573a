// Package schema writes JSON schemas of Go types for tests, which hold a published schema
// against the types: fields in their order, described by their comments.
package schema

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
)

// Ordered is a JSON object whose fields keep their order.
type Ordered []Member

// Member is a field of an Ordered.
type Member struct {
	Name  string
	Value any
}

// MarshalJSON writes the fields in their order.
func (o Ordered) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := encodeJSON(m.Name)
		if err != nil {
			return nil, err
		}
		value, err := encodeJSON(m.Value)
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// encodeJSON leaves <, > and & as they are.
func encodeJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(out.Bytes()), err
}

// Writer writes schemas. Structs and what Special defines go to Defs, once each.
type Writer struct {
	// Comments describe types, by name, and fields, as Type.Field.
	Comments map[string]string
	// Special is asked first, for what a type's kind does not say; nil is no answer.
	Special func(w *Writer, t reflect.Type, optional bool) Ordered
	// NonEmpty wants at least one element of every array.
	NonEmpty bool
	// Defs are the definitions that were referred to.
	Defs Ordered
}

// Object is the schema of a struct, without a definition for itself.
func (w *Writer) Object(t reflect.Type) Ordered {
	properties, required := Ordered{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		optional := options != ""
		if !optional {
			required = append(required, name)
		}
		entry := append(Ordered{{"description", w.Comments[t.Name()+"."+f.Name]}}, w.schemaOf(f.Type, optional)...)
		properties = append(properties, Member{name, entry})
	}
	return Ordered{{"type", "object"}, {"properties", properties}, {"required", required}, {"additionalProperties", false}}
}

func (w *Writer) schemaOf(t reflect.Type, optional bool) Ordered {
	if special := w.Special(w, t, optional); special != nil {
		return special
	}
	switch t.Kind() {
	case reflect.Pointer:
		return w.schemaOf(t.Elem(), false)
	case reflect.Struct:
		return w.Define(t, func() Ordered { return w.Object(t) })
	case reflect.Slice:
		list := Ordered{{"type", "array"}}
		if w.NonEmpty {
			list = append(list, Member{"minItems", 1})
		}
		return append(list, Member{"items", w.schemaOf(t.Elem(), false)})
	case reflect.Map:
		return Ordered{{"type", "object"}, {"additionalProperties", w.schemaOf(t.Elem(), false)}}
	case reflect.Bool:
		return Ordered{{"type", "boolean"}}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return Ordered{{"type", "integer"}}
	default:
		return Ordered{{"type", "string"}}
	}
}

// Define puts a type into Defs, unless it is there, and refers to it.
func (w *Writer) Define(t reflect.Type, body func() Ordered) Ordered {
	ref := Ordered{{"$ref", "#/$defs/" + t.Name()}}
	for _, m := range w.Defs {
		if m.Name == t.Name() {
			return ref
		}
	}
	w.Defs = append(w.Defs, Member{t.Name(), nil})
	at := len(w.Defs) - 1
	w.Defs[at].Value = append(Ordered{{"description", w.Comments[t.Name()]}}, body()...)
	return ref
}

// ReadComments reads the comments of the types, and of their fields, in Go files.
func ReadComments(t *testing.T, files ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.TYPE {
				addComments(out, gen)
			}
		}
	}
	return out
}

func addComments(out map[string]string, gen *ast.GenDecl) {
	spec := gen.Specs[0].(*ast.TypeSpec)
	out[spec.Name.Name] = flattenComment(gen.Doc)
	body, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range body.Fields.List {
		out[spec.Name.Name+"."+f.Names[0].Name] = flattenComment(f.Doc)
	}
}

func flattenComment(c *ast.CommentGroup) string {
	return strings.ReplaceAll(strings.TrimSpace(c.Text()), "\n", " ")
}
