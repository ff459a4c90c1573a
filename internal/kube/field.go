package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/util/jsonpath"
)

// ErrNoField says that an object does not have a field.
var ErrNoField = errors.New("the object has no such field")

// FieldText is the value of a field of an object as text: objects and lists as JSON. The path
// is a JSONPath as kubectl takes it ({.status.phase}), or the same without braces or the
// first dot (status.phase).
func FieldText(object []byte, path string) (string, error) {
	template := path
	if !strings.HasPrefix(template, "{") {
		template = "{." + strings.TrimPrefix(template, ".") + "}"
	}
	finder := jsonpath.New("field").AllowMissingKeys(true)
	finder.EnableJSONOutput(true)
	if err := finder.Parse(template); err != nil {
		return "", fmt.Errorf("field %q: %w", path, err)
	}
	var decoded any
	if err := utiljson.Unmarshal(object, &decoded); err != nil { // whole numbers stay whole
		return "", errors.New("the object is no JSON")
	}
	var out bytes.Buffer
	if err := finder.Execute(&out, decoded); err != nil {
		return "", fmt.Errorf("field %q: %w", path, err)
	}
	return fieldText(out.Bytes())
}

// fieldText is the one value that was found, or all of them.
func fieldText(found []byte) (string, error) {
	var values []json.RawMessage
	var short bytes.Buffer
	if err := errors.Join(json.Compact(&short, found), json.Unmarshal(short.Bytes(), &values)); err != nil {
		return "", fmt.Errorf("field: %w", err)
	}
	switch len(values) {
	case 0:
		return "", ErrNoField
	case 1:
		var text string
		if json.Unmarshal(values[0], &text) == nil && values[0][0] == '"' {
			return text, nil
		}
		return string(values[0]), nil
	}
	return short.String(), nil
}
