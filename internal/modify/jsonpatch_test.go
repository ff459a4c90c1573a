package modify

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	oracle "gopkg.in/evanphx/json-patch.v4"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
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
			theirs, theirErr := theirPatch(patched, patch)
			if (err != nil) != (want == "error") || (err == nil) != (theirErr == nil) && !departs(patch) {
				t.Fatalf("%v; theirs %v", err, theirErr)
			}
			if err != nil || theirErr != nil {
				return
			}
			if !strings.Contains(got, want) {
				t.Errorf("no %s in %s", want, got)
			}
			if !alike(t, got, theirs) {
				t.Errorf("%s; theirs %s", got, theirs)
			}
		})
	}
}

// departs: the other implementation copies null from nowhere, puts something in the
// place of nothing, and has 1 and 1.0 differ.
func departs(patch string) bool {
	return strings.Contains(patch, `"replace","path":"/gone"`) || strings.Contains(patch, `"copy","from":"/gone"`) || strings.Contains(patch, `"path":"/n","value":1}`)
}

// patchedBy applies a patch that is written as RFC 6902 has it.
func patchedBy(t *testing.T, doc, patch string) (string, error) {
	t.Helper()
	var raw []struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		From  string `json:"from"`
		Value any    `json:"value"`
	}
	if err := utiljson.Unmarshal([]byte(patch), &raw); err != nil {
		t.Fatal(err)
	}
	var ops operations
	for _, r := range raw {
		o := operation{name: r.Op, value: whole(t, r.Value)}
		var err error
		if o.path, err = pointer(r.Path); err != nil {
			return "", err
		}
		if r.From != "" {
			if o.from, err = pointer(r.From); err != nil {
				return "", err
			}
		}
		ops = append(ops, o)
	}
	var obj map[string]any
	if err := utiljson.Unmarshal([]byte(doc), &obj); err != nil {
		t.Fatal(err)
	}
	out, err := ops.apply(obj)
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

// theirPatch is what another implementation makes of it.
func theirPatch(doc, patch string) (string, error) {
	p, err := oracle.DecodePatch([]byte(patch))
	if err != nil {
		return "", err
	}
	out, err := p.Apply([]byte(doc))
	return string(out), err
}

func alike(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	return resource.Same(x, y)
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
	got, errs := r.Apply("configmaps", obj)
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "the copies of this rule take more than 3145728 bytes") || !reflect.DeepEqual(got, obj) {
		t.Errorf("%v", errs)
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
