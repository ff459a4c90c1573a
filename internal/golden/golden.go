// Package golden compares results of tests with files. With LIFEBOAT_UPDATE_GOLDEN=1 in the
// environment the files are written anew; read their diff before you commit it.
package golden

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"

	sigsjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// ReadCase decodes a file in YAML or JSON, with numbers as Kubernetes decodes them. A field
// that the case does not have is an error.
func ReadCase(t testing.TB, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	strict, err := sigsjson.UnmarshalStrict(asJSON, into)
	if err := errors.Join(append(strict, err)...); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// CompareJSON compares the JSON of a result with a file. why is what the case proves.
func CompareJSON(t testing.TB, file, why string, result any) {
	t.Helper()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(result); err != nil {
		t.Fatal(err)
	}
	Compare(t, file, why, got.String())
}

// Compare compares a text with a file.
func Compare(t testing.TB, file, why, got string) {
	t.Helper()
	if os.Getenv("LIFEBOAT_UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: %s\ngot:\n%s\nwant:\n%s", file, why, got, want)
	}
}
