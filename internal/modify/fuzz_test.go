package modify

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
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
		case err != nil && len(err.Error()) > (maxProblems+1)*(maxProblem+200):
			t.Errorf("%d bytes of error", len(err.Error()))
		case err == nil:
			rules.Apply("pods", map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "x", "namespace": "y"}})
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
		f.Add(c.Rules, object, c.Resource)
	}
	f.Fuzz(func(t *testing.T, text string, object []byte, gr string) {
		rules, err := Parse(text)
		var obj map[string]any
		if err != nil || utiljson.Unmarshal(object, &obj) != nil || obj == nil {
			t.Skip()
		}
		before := runtime.DeepCopyJSON(obj)
		got, errs := rules.Apply(gr, obj)
		if !resource.Same(before, obj) {
			t.Fatal("the argument was changed")
		}
		if err := identical(before, got); err != nil && !strings.Contains(err.Error(), "metadata away") {
			t.Fatal(err)
		}
		if most := len(object) + len(text)*(1+len(rules.rules)) + maxCopied*len(rules.rules); size(got, 2*most) > 16*most+1<<10 {
			t.Fatalf("%d bytes became %d", len(object), size(got, 2*most))
		}
		for _, err := range errs {
			if len(err.Error()) > maxProblem+200 {
				t.Fatalf("%d bytes of error", len(err.Error()))
			}
		}
	})
}
