package modify

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

const patched = `{"apiVersion":"v1","kind":"Thing","metadata":{"name":"x"},"list":[1,2,{"a":"b"}],"map":{"a/b":1,"c~d":2,"":3},"n":1.0,"null":null}`

func TestOperations(t *testing.T) {
	for patch, want := range map[string]string{
		`[{"op":"add","path":"/new","value":{"a":1}}]`:                                                `"new":{"a":1}`,
		`[{"op":"add","path":"/list/0","value":0}]`:                                                   `"list":[0,1,2,{"a":"b"}]`,
		`[{"op":"add","path":"/list/-","value":9}]`:                                                   `"list":[1,2,{"a":"b"},9]`,
		`[{"op":"add","path":"/list/3","value":9}]`:                                                   `"list":[1,2,{"a":"b"},9]`,
		`[{"op":"add","path":"/list/-1","value":9}]`:                                                  `"list":[1,2,{"a":"b"},9]`,
		`[{"op":"add","path":"/list/4","value":9}]`:                                                   "error",
		`[{"op":"add","path":"/a/b","value":9}]`:                                                      "error",
		`[{"op":"add","path":"/n/b","value":9}]`:                                                      "error",
		`[{"op":"remove","path":"/list/0"}]`:                                                          `"list":[2,{"a":"b"}]`,
		`[{"op":"remove","path":"/list/-1"}]`:                                                         `"list":[1,2]`,
		`[{"op":"remove","path":"/list/x"}]`:                                                          "error",
		`[{"op":"remove","path":"/map/a~1b"},{"op":"remove","path":"/map/c~0d"}]`:                     `"map":{"":3}`,
		`[{"op":"remove","path":"/map/"}]`:                                                            `"map":{"a/b":1,"c~d":2}`,
		`[{"op":"remove","path":"/gone"}]`:                                                            "error",
		`[{"op":"replace","path":"/list/2/a","value":"c"}]`:                                           `"list":[1,2,{"a":"c"}]`,
		`[{"op":"replace","path":"/gone","value":1}]`:                                                 "error",
		`[{"op":"replace","path":"/list/9","value":1}]`:                                               "error",
		`[{"op":"move","from":"/list/2","path":"/map/moved"}]`:                                        `"list":[1,2]`,
		`[{"op":"move","from":"/list","path":"/list/0"}]`:                                             "error",
		`[{"op":"move","from":"/gone","path":"/a"}]`:                                                  "error",
		`[{"op":"copy","from":"/list/2","path":"/copy"},{"op":"replace","path":"/copy/a","value":1}]`: `"list":[1,2,{"a":"b"}]`,
		`[{"op":"copy","from":"/gone","path":"/a"}]`:                                                  "error",
		`[{"op":"test","path":"/n","value":1},{"op":"add","path":"/ok","value":1}]`:                   `"ok":1`,
		`[{"op":"test","path":"/n","value":2},{"op":"add","path":"/ok","value":1}]`:                   "error",
		`[{"op":"test","path":"/gone","value":null},{"op":"add","path":"/ok","value":1}]`:             `"ok":1`,
		`[{"op":"test","path":"/gone/x","value":null}]`:                                               "error",
		`[{"op":"test","path":"/list/2","value":{"a":"b"}},{"op":"add","path":"/ok","value":1}]`:      `"ok":1`,
	} {
		t.Run(patch, func(t *testing.T) {
			got, err := patchedBy(t, patched, patch)
			if (err != nil) != (want == "error") {
				t.Fatal(err)
			}
			if err == nil && !strings.Contains(got, want) {
				t.Errorf("no %s in %s", want, got)
			}
		})
	}
}

// patchedBy applies a patch that is written as RFC 6902 has it.
func patchedBy(t *testing.T, doc, patch string) (string, error) {
	t.Helper()
	var raw []struct {
		Op    string          `json:"op"`
		Path  string          `json:"path"`
		From  string          `json:"from"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal([]byte(patch), &raw); err != nil {
		t.Fatal(err)
	}
	p := parser{}
	var specs []patchSpec
	for _, r := range raw {
		specs = append(specs, patchSpec{Operation: r.Op, Path: r.Path, From: r.From, Value: string(r.Value)})
	}
	ops := p.parseOperations("", specs)
	if err := p.problems.Err(); err != nil {
		t.Fatal(err)
	}
	var obj map[string]any
	if err := utiljson.Unmarshal([]byte(doc), &obj); err != nil {
		t.Fatal(err)
	}
	out, err := ops.apply(obj, obj)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

// whole gives numbers the types that the product decodes them to.
func whole(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := utiljson.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestNullInLists: the library cannot compare lists that hold null, so tests are not its.
func TestNullInLists(t *testing.T) {
	const doc = `{"list":[null,{"a":null}],"other":[1]}`
	for patch, holds := range map[string]bool{
		`[{"op":"test","path":"/list","value":[null,{"a":null}]}]`:                                                       true,
		`[{"op":"test","path":"/list","value":[1,2]}]`:                                                                   false,
		`[{"op":"test","path":"/other","value":[null]}]`:                                                                 false,
		`[{"op":"test","path":"/list/0","value":null}]`:                                                                  true,
		`[{"op":"copy","from":"/list/0","path":"/list/1/b"},{"op":"test","path":"/list/1","value":{"a":null,"b":null}}]`: true,
		`[{"op":"replace","path":"/list/0","value":1},{"op":"test","path":"/list","value":[1,{"a":null}]}]`:              true,
	} {
		if _, err := patchedBy(t, doc, patch); (err == nil) != holds {
			t.Errorf("%s: %v", patch, err)
		}
	}
}

// TestCopiesShareOneBound: a test between the copies does not give them a new one.
func TestCopiesShareOneBound(t *testing.T) {
	doc := `{"data":{"a":"` + strings.Repeat("x", maxCopied*2/5) + `"}}`
	var patch []string
	for i := range 3 {
		patch = append(patch, fmt.Sprintf(`{"op":"copy","from":"/data/a","path":"/data/k%d"},{"op":"test","path":"/none","value":null}`, i))
	}
	if _, err := patchedBy(t, doc, "["+strings.Join(patch[:2], ",")+"]"); err != nil {
		t.Errorf("two fifths twice: %v", err)
	}
	if _, err := patchedBy(t, doc, "["+strings.Join(patch, ",")+"]"); err == nil || !strings.Contains(err.Error(), "patches[4]: copy /data/k2: the copies of this rule") {
		t.Errorf("two fifths thrice: %v", err)
	}
}

// TestCopyBomb: each line doubles the object.
func TestCopyBomb(t *testing.T) {
	var patch strings.Builder
	for i := range 64 {
		fmt.Fprintf(&patch, "  - {operation: copy, from: /data, path: /data/k%d}\n", i)
	}
	r, err := Parse("version: v1\nresourceModifierRules:\n- conditions: {groupResource: configmaps}\n  patches:\n" + patch.String())
	if err != nil {
		t.Fatal(err)
	}
	obj := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"a": "b"}}
	got := r.Apply("configmaps", obj, obj)
	if len(got.Errors) != 1 || !strings.Contains(got.Errors[0].Error(), "the copies of this rule take more than 3145728 bytes") || !reflect.DeepEqual(got.Object, obj) {
		t.Errorf("%v", got.Errors)
	}
	// What the rules of kinds dropped is copied within the same bound.
	stored := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": obj["metadata"], "status": map[string]any{"a": strings.Repeat("x", maxCopied/40)}}
	r, err = Parse("version: v1\nresourceModifierRules:\n- conditions: {groupResource: configmaps}\n  patches:\n" + strings.ReplaceAll(patch.String(), "from: /data", "from: /status"))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Apply("configmaps", stored, obj); len(got.Errors) != 1 || !strings.Contains(got.Errors[0].Error(), "patches[39]: copy /data/k39: the copies of this rule take more") {
		t.Errorf("%v", got.Errors)
	}
}

func TestMerge(t *testing.T) {
	for patch, want := range map[string]string{ // of RFC 7386, appendix A
		`{"a":"c"}`: `{"a":"c","b":{"c":1}}`, `{"a":null}`: `{"b":{"c":1}}`, `{"b":{"c":null}}`: `{"a":"b","b":{}}`, `{"b":[1]}`: `{"a":"b","b":[1]}`,
		`{"n":{"x":{"y":null}}}`: `{"a":"b","b":{"c":1},"n":{"x":{}}}`, `{"a":{"z":1}}`: `{"a":{"z":1},"b":{"c":1}}`, `{"b":{"c":2,"d":null}}`: `{"a":"b","b":{"c":2}}`,
	} {
		var p map[string]any
		if err := json.Unmarshal([]byte(patch), &p); err != nil {
			t.Fatal(err)
		}
		before := map[string]any{"a": "b", "b": map[string]any{"c": 1}}
		got, err := json.Marshal(Merge(before, p))
		if err != nil || string(got) != want || !reflect.DeepEqual(before, map[string]any{"a": "b", "b": map[string]any{"c": 1}}) {
			t.Errorf("%s: %s, want %s; %v %v", patch, got, want, err, before)
		}
	}
}
