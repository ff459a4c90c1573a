package show

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"

	"sigs.k8s.io/yaml"
)

// Formats of --output.
const (
	FormatTable = "table"
	FormatJSON  = "json"
	FormatYAML  = "yaml"
	FormatName  = "name"
)

// Document prints v as YAML or JSON. Fields that are empty or say only a
// default are left out, so that a printed manifest reads like a written one.
func Document(w io.Writer, format string, v any) error {
	fields, err := genericValue(v)
	if err != nil {
		return err
	}
	data, err := encodeDocument(format, pruneUnset(fields))
	if err != nil {
		return fmt.Errorf("print %s: %w", format, err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("print %s: %w", format, err)
	}
	return nil
}

func encodeDocument(format string, v any) ([]byte, error) {
	switch format {
	case FormatJSON:
		data, err := marshalPlain(v)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		err = json.Indent(&out, data, "", "  ")
		out.WriteByte('\n')
		return out.Bytes(), err
	case FormatYAML:
		return yaml.Marshal(v)
	default:
		return nil, errors.New("unknown format: use json or yaml")
	}
}

// marshalPlain is json.Marshal without the escapes that only HTML needs.
func marshalPlain(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// genericValue is v as its JSON decodes without a type, in maps and slices.
func genericValue(v any) (any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode document: %w", err)
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("encode document: %w", err)
	}
	return out, nil
}

// pruneUnset drops what the Velero types print although nobody set it: null, {} and
// durations of 0s among the fields of metadata, spec, its template and status, of a document
// or of the documents of a list. Deeper values are the user's and stay as they are.
func pruneUnset(v any) any {
	doc, ok := v.(map[string]any)
	if !ok {
		return v
	}
	if items, ok := doc["items"].([]any); ok {
		for i := range items {
			items[i] = pruneUnset(items[i])
		}
	}
	for _, part := range []string{"metadata", "spec", "status"} {
		fields, ok := doc[part].(map[string]any)
		if !ok {
			continue
		}
		if template, ok := fields["template"].(map[string]any); ok && part == "spec" { // of a schedule
			maps.DeleteFunc(template, func(_ string, value any) bool { return isUnset(value) })
		}
		maps.DeleteFunc(fields, func(_ string, value any) bool { return isUnset(value) })
		if len(fields) == 0 {
			delete(doc, part)
		}
	}
	return doc
}

// isUnset is true for values that a Velero type prints when the field was never set.
func isUnset(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == "0s"
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}
