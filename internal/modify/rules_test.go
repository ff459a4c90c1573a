package modify

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

var update = flag.Bool("update", false, "write the golden files anew; read the diff before you commit it")

// goldenCase is testdata/<case>.in.yaml; what the rules make of the object, and which of
// them fail, stands in <case>.out.json.
type goldenCase struct {
	Why      string         `json:"why"` // what the case proves
	Resource string         `json:"resource"`
	Rules    string         `json:"rules"`
	Object   map[string]any `json:"object"`
}

type goldenResult struct {
	Object map[string]any `json:"object"`
	Errors []string       `json:"errors,omitempty"`
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".in.yaml"), func(t *testing.T) {
			golden(t, readCase(t, file), strings.TrimSuffix(file, ".in.yaml")+".out.json")
		})
	}
}

func golden(t *testing.T, c goldenCase, out string) {
	rules, err := Parse(c.Rules)
	if err != nil {
		t.Fatal(err)
	}
	before := whole(t, c.Object)
	obj, errs := rules.Apply(c.Resource, c.Object)
	if !reflect.DeepEqual(before, c.Object) {
		t.Error("the argument was changed")
	}
	result := goldenResult{Object: obj}
	for _, err := range errs {
		result.Errors = append(result.Errors, err.Error())
	}
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(result); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(out, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", c.Why, got.String(), want)
	}
}

func readCase(t testing.TB, file string) goldenCase {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSONStrict(raw)
	if err != nil {
		t.Fatal(err)
	}
	var c goldenCase
	dec := json.NewDecoder(bytes.NewReader(asJSON))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var typed map[string]any // again, with numbers as Kubernetes decodes them
	if err := utiljson.Unmarshal(asJSON, &typed); err != nil {
		t.Fatal(err)
	}
	c.Object, _ = typed["object"].(map[string]any)
	return c
}

// TestUntouched: what no rule is for costs no copy.
func TestUntouched(t *testing.T) {
	rules, err := Parse(ruled("{groupResource: pods}", someMerge))
	if err != nil {
		t.Fatal(err)
	}
	obj := map[string]any{"metadata": map[string]any{"name": "x"}}
	got, errs := rules.Apply("secrets", obj)
	got["seen"] = true
	if len(errs) > 0 || obj["seen"] != true {
		t.Errorf("%v %v", got, errs)
	}
}

// TestOddTypes: the rules of package resource may leave other Go types than a decoder.
func TestOddTypes(t *testing.T) {
	rules, err := Parse(ruled("{groupResource: pods}", "patches: [{operation: add, path: /spec/args/-, value: b}, {operation: add, path: /spec/n, value: '1'}]"))
	if err != nil {
		t.Fatal(err)
	}
	obj := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "x"}, "spec": map[string]any{"args": []string{"a"}, "m": map[string]string{"k": "v"}, "i": 1}}
	got, errs := rules.Apply("pods", obj)
	want := map[string]any{"args": []any{"a", "b"}, "m": map[string]any{"k": "v"}, "i": int64(1), "n": int64(1)}
	if len(errs) > 0 || !reflect.DeepEqual(got["spec"], want) {
		t.Errorf("%v %v", got, errs)
	}
}
