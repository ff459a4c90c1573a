package modify

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/golden"
)

// goldenCase is testdata/<case>.in.yaml; what the rules make of the object, and which of
// them fail, stands in <case>.out.json.
type goldenCase struct {
	Why      string         `json:"why"` // what the case proves
	Resource string         `json:"resource"`
	Rules    string         `json:"rules"`
	Stored   map[string]any `json:"stored"` // in the backup; nil: the object
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
			checkCase(t, readCase(t, file), strings.TrimSuffix(file, ".in.yaml")+".out.json")
		})
	}
}

func checkCase(t *testing.T, c goldenCase, out string) {
	rules, err := Parse(c.Rules)
	if err != nil {
		t.Fatal(err)
	}
	before := whole(t, c.Object)
	got := rules.Apply(c.Resource, c.stored(), c.Object)
	if !reflect.DeepEqual(before, c.Object) {
		t.Error("the argument was changed")
	}
	result := goldenResult{Object: got.Object}
	for _, err := range got.Errors {
		result.Errors = append(result.Errors, err.Error())
	}
	golden.CompareJSON(t, out, c.Why, result)
}

func (c goldenCase) stored() map[string]any {
	if c.Stored == nil {
		return c.Object
	}
	return c.Stored
}

func readCase(t testing.TB, file string) (c goldenCase) {
	t.Helper()
	golden.ReadCase(t, file, &c)
	return c
}

// TestUntouched: what no rule is for costs no copy.
func TestUntouched(t *testing.T) {
	rules, err := Parse(ruled("{groupResource: pods}", someMerge))
	if err != nil {
		t.Fatal(err)
	}
	obj := map[string]any{"metadata": map[string]any{"name": "x"}}
	got := rules.Apply("secrets", obj, obj)
	got.Object["seen"] = true
	if len(got.Errors)+len(got.Rules) > 0 || obj["seen"] != true {
		t.Errorf("%v", got)
	}
}

// TestOddTypes: the rules of package resource may leave other Go types than a decoder.
func TestOddTypes(t *testing.T) {
	rules, err := Parse(ruled("{groupResource: pods}", "patches: [{operation: add, path: /spec/args/-, value: b}, {operation: add, path: /spec/n, value: '1'}]"))
	if err != nil {
		t.Fatal(err)
	}
	obj := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "x"}, "spec": map[string]any{"args": []string{"a"}, "m": map[string]string{"k": "v"}, "i": 1}}
	got := rules.Apply("pods", obj, obj)
	want := map[string]any{"args": []any{"a", "b"}, "m": map[string]any{"k": "v"}, "i": int64(1), "n": int64(1)}
	if len(got.Errors) > 0 || !reflect.DeepEqual(got.Object["spec"], want) {
		t.Errorf("%v", got)
	}
}
