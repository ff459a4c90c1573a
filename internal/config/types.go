package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	sigsjson "sigs.k8s.io/json"
)

// typeErrors explains why a document does not decode. The decoder stops at the
// first value of a wrong type and does not always say where it stands, so each
// field, and each element of a list, is decoded alone.
func typeErrors(asJSON []byte, whole error) error {
	var fields map[string]any
	if err := json.Unmarshal(asJSON, &fields); err != nil {
		return fmt.Errorf("the document must be a mapping of fields to values: %w", whole)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		list, isList := fields[name].([]any)
		if !isList {
			errs = append(errs, decodeAlone(name, name, fields[name]))
		}
		for i, item := range list {
			errs = append(errs, decodeAlone(fmt.Sprintf("%s[%d]", name, i), name, []any{item}))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return whole
}

func decodeAlone(path, name string, value any) error {
	text, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	err = sigsjson.UnmarshalCaseSensitivePreserveInts(text, &Config{})
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return fmt.Errorf("%s: %s is not of type %s", fieldPath(path, name, wrong.Field), wrong.Value, wrong.Type)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// fieldPath completes a path with the decoder's own, which begins with the field's
// name and leaves out list positions.
func fieldPath(path, name, field string) string {
	field = strings.ReplaceAll(field, ".StorageType.", ".") // Velero's embedded struct, absent from the text
	if field == name {
		return name // the list itself is wrong
	}
	if rest, found := strings.CutPrefix(field, name+"."); found {
		return path + "." + rest
	}
	return path
}
