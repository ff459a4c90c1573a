package modify

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

func seeds(f *testing.F) []goldenCase {
	files, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no cases: %v", err)
	}
	var out []goldenCase
	for _, file := range files {
		out = append(out, readCase(f, file))
	}
	return out
}

// FuzzParse: anybody who may write ConfigMaps writes the text. It is read or refused,
// with a message of bounded length.
func FuzzParse(f *testing.F) {
	for _, c := range seeds(f) {
		f.Add(c.Rules)
	}
	f.Add("version: v1\nresourceModifierRules: [{conditions: {groupResource: &a ['*', *a]}}]")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := Parse(text)
		switch {
		case err != nil && len(err.Error()) > (filter.MaxProblems+1)*(filter.MaxProblemBytes+200):
			t.Errorf("%d bytes of error", len(err.Error()))
		case err == nil:
			obj := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "x", "namespace": "y"}}
			rules.Apply("pods", obj, obj)
		}
	})
}

// FuzzApply: whatever rules and objects are, an object keeps its identity, the argument
// stays as it was, and the result is no larger than what rules and object can make of it.
func FuzzApply(f *testing.F) {
	for _, c := range seeds(f) {
		object, err := utiljson.Marshal(c.Object)
		if err != nil {
			f.Fatal(err)
		}
		stored, err := utiljson.Marshal(c.stored())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(c.Rules, stored, object, c.Resource)
	}
	f.Fuzz(func(t *testing.T, text string, inBackup, object []byte, gr string) {
		rules, err := Parse(text)
		var stored, obj map[string]any
		if err != nil || utiljson.Unmarshal(inBackup, &stored) != nil || utiljson.Unmarshal(object, &obj) != nil || obj == nil {
			t.Skip()
		}
		before, was := runtime.DeepCopyJSON(obj), runtime.DeepCopyJSON(stored)
		m := rules.Apply(gr, stored, obj)
		got := m.Object
		if !compare.Same(before, obj) || !compare.Same(was, stored) {
			t.Fatal("an argument was changed")
		}
		if err := checkIdentity(before, got); err != nil && !strings.Contains(err.Error(), "metadata away") {
			t.Fatal(err)
		}
		after, err := utiljson.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if most := len(object) + len(inBackup) + len(text)*(1+len(rules.rules)) + maxCopied*len(rules.rules); len(after) > 16*most+1<<10 {
			t.Fatalf("%d bytes became %d", len(object), len(after))
		}
		for _, err := range m.Errors {
			if len(err.Error()) > filter.MaxProblemBytes+200 {
				t.Fatalf("%d bytes of error", len(err.Error()))
			}
		}
	})
}

// FuzzStrategic: the directives of a strategic patch may be of any shape.
func FuzzStrategic(f *testing.F) {
	const pod = `{"containers":[{"name":"a","ports":[{"containerPort":80}],"env":[{"name":"x","value":"y"}]}],"volumes":[{"name":"v","emptyDir":{}}],"tolerations":[{"key":"k"}],"hostAliases":[{"ip":"1.2.3.4"}]}`
	for _, patch := range []string{
		`{"containers":[{"name":"a","$patch":"delete"}]}`, `{"containers":[{"$patch":"replace"},{"name":"b"}]}`, `{"$retainKeys":["volumes"],"volumes":null}`,
		`{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"b"}]}`, `{"volumes":[{"name":"v","$retainKeys":["name","hostPath"],"hostPath":{"path":"/"}}]}`,
		`{"$deleteFromPrimitiveList/finalizers":["a"]}`, `{"$setElementOrder/containers":"x"}`, `{"$retainKeys":{"a":1}}`, `{"containers":[[{}]],"tolerations":[1,null,"x"]}`, `{"$patch":1}`,
	} {
		f.Add([]byte(patch), []byte(pod))
	}
	s, err := kubernetesTypes()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, patch, spec []byte) {
		var p, obj any
		if utiljson.Unmarshal(patch, &p) != nil || utiljson.Unmarshal(spec, &obj) != nil {
			t.Skip()
		}
		before := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "x", "finalizers": []any{"a"}}, "spec": obj}
		rule := strategicPatches{patches: []map[string]any{{"spec": p}, {"metadata": p}}, types: s}
		if after, err := rule.apply(before, before); err == nil && after == nil {
			t.Fatal("neither object nor error")
		}
	})
}
