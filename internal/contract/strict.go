package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// strict decodes data into v and refuses fields that v does not have. The error
// names the field, also where a type of its own (a duration) does the decoding.
func strict[T any](data []byte, v *T) error {
	err := decodeStrict(data, v)
	if err == nil {
		return nil
	}
	field := ""
	var doc map[string]json.RawMessage
	if json.Unmarshal(data, &doc) == nil {
		field = blame(doc, func(part []byte) error { return decodeStrict(part, new(T)) })
	}
	if field != "" {
		field += ": "
	}
	return fmt.Errorf("workflow input: %s%w (fields are those of Velero's Backup and Restore specs)", field, err)
}

func decodeStrict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// blame is the path of the first field that does not decode by itself, "" if all do.
func blame(doc map[string]json.RawMessage, decode func([]byte) error) string {
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		alone := func(value []byte) error {
			part, err := json.Marshal(map[string]json.RawMessage{key: value})
			if err != nil {
				return err
			}
			return decode(part)
		}
		if alone(doc[key]) == nil {
			continue
		}
		var inner map[string]json.RawMessage
		if json.Unmarshal(doc[key], &inner) == nil {
			if path := blame(inner, alone); path != "" {
				return key + "." + path
			}
		}
		return key
	}
	return ""
}
