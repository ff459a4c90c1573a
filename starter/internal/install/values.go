package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"sigs.k8s.io/yaml"
)

func readMap(chart fs.FS, name string) (map[string]any, error) {
	text, err := fs.ReadFile(chart, name)
	if err != nil {
		return nil, err
	}
	return parseValues(name, text)
}

// ReadValues reads files of values; what a later one says wins.
func ReadValues(names []string) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Clean(name))
		if err != nil {
			return nil, fmt.Errorf("read values: %w", err)
		}
		one, err := parseValues(name, text)
		if err != nil {
			return nil, err
		}
		out = mergeValues(out, one)
	}
	return out, nil
}

// parseValues keeps numbers as they are written, as Helm does.
func parseValues(name string, text []byte) (map[string]any, error) {
	var out map[string]any
	err := yaml.Unmarshal(text, &out, func(d *json.Decoder) *json.Decoder { d.UseNumber(); return d })
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return out, nil
}

// mergeValues lays over over base: maps field by field, all else as a whole. A null takes the
// field away.
func mergeValues(base, over map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range base {
		out[k] = v
	}
	for k, v := range over {
		inner, isMap := v.(map[string]any)
		below, wasMap := out[k].(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case isMap && wasMap:
			out[k] = mergeValues(below, inner)
		default:
			out[k] = v
		}
	}
	return out
}

// checkValues holds values against the chart's schema. The error names each field that is wrong.
func checkValues(chart fs.FS, values map[string]any) error {
	text, err := fs.ReadFile(chart, "values.schema.json")
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("values.schema.json", document); err != nil {
		return err
	}
	schema, err := compiler.Compile("values.schema.json")
	if err != nil {
		return err
	}
	var wrong *jsonschema.ValidationError
	if err := schema.Validate(values); errors.As(err, &wrong) {
		return errors.Join(leaves(wrong)...)
	} else if err != nil {
		return err
	}
	return nil
}

// leaves are the innermost causes: a field each.
func leaves(e *jsonschema.ValidationError) []error {
	if len(e.Causes) == 0 {
		said := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
		return []error{fmt.Errorf("values: %s: %s", strings.Join(e.InstanceLocation, "."), said)}
	}
	var all []error
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}
