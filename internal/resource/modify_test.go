package resource

import (
	"errors"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// TestModifiers: they see the object as the rules leave it, in its source namespace;
// namespace and labels of the restore come after them.
func TestModifiers(t *testing.T) {
	var seen map[string]any
	c := &Context{Backup: "b", Restore: "r", NamespaceMapping: map[string]string{"shop": "copy"}}
	c.Modify = func(resource string, obj map[string]any) (map[string]any, []error) {
		seen = runtime.DeepCopyJSON(obj)
		if resource != "pods" {
			t.Errorf("resource %q", resource)
		}
		return map[string]any{
			"kind": "Pod", "metadata": map[string]any{"name": "web", "namespace": "shop", "labels": "lost", "annotations": map[string]any{"a": "b"}},
		}, []error{errors.New("rule 1: no")}
	}
	obj := map[string]any{
		"kind": "Pod", "metadata": map[string]any{"name": "web", "namespace": "shop", "uid": "1"},
		"spec": map[string]any{"nodeName": "n"}, "status": map[string]any{"phase": "Running"},
	}
	out, err := NewRegistry().Restore(c, "pods", obj)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"kind": "Pod", "metadata": map[string]any{"name": "web", "namespace": "shop"}, "spec": map[string]any{}}; !reflect.DeepEqual(seen, want) {
		t.Errorf("seen %v", seen)
	}
	want := map[string]any{"kind": "Pod", "metadata": map[string]any{
		"name": "web", "namespace": "copy", "annotations": map[string]any{"a": "b"},
		"labels": map[string]any{LabelBackup: "b", LabelRestore: "r"},
	}}
	if !reflect.DeepEqual(obj, want) {
		t.Errorf("made %v", obj)
	}
	if want := []Note{{report.ModifierFailed, "rule 1: no"}}; !reflect.DeepEqual(out.Errors, want) {
		t.Errorf("errors %v", out.Errors)
	}
}

// TestModifiersThatDoNothing may give back the very object.
func TestModifiersThatDoNothing(t *testing.T) {
	c := &Context{Modify: func(_ string, obj map[string]any) (map[string]any, []error) { return obj, nil }}
	obj := map[string]any{"kind": "Thing", "metadata": map[string]any{"name": "x"}, "spec": "y"}
	want := runtime.DeepCopyJSON(obj)
	if out, err := NewRegistry().Restore(c, "things", obj); err != nil || len(out.Errors) > 0 || !reflect.DeepEqual(obj, want) {
		t.Errorf("%v %v %v", obj, out, err)
	}
}
