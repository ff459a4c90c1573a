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
	var seen, stored map[string]any
	c := &Context{Backup: "b", Restore: "r", NamespaceMapping: map[string]string{"shop": "copy"}}
	c.Modify = func(resource string, inBackup, obj map[string]any) Modified {
		seen, stored = runtime.DeepCopyJSON(obj), inBackup
		if resource != "pods" {
			t.Errorf("resource %q", resource)
		}
		return Modified{Object: map[string]any{
			"kind": "Pod", "metadata": map[string]any{"name": "web", "namespace": "shop", "labels": "lost", "annotations": map[string]any{"a": "b"}},
		}, Rules: []int{1}, Errors: []error{errors.New("rule 1: no")}}
	}
	obj := map[string]any{
		"kind": "Pod", "metadata": map[string]any{"name": "web", "namespace": "shop", "uid": "1"},
		"spec": map[string]any{"nodeName": "n"}, "status": map[string]any{"phase": "Running"},
	}
	whole := runtime.DeepCopyJSON(obj)
	out, err := NewRegistry().Restore(c, "pods", obj)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"kind": "Pod", "metadata": map[string]any{"name": "web", "namespace": "shop"}, "spec": map[string]any{}}; !reflect.DeepEqual(seen, want) {
		t.Errorf("seen %v", seen)
	}
	if !reflect.DeepEqual(stored, whole) || !reflect.DeepEqual(out.Modifiers, []int{1}) {
		t.Errorf("in the backup %v, met by %v", stored, out.Modifiers)
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
	c := &Context{Modify: func(_ string, _, obj map[string]any) Modified { return Modified{Object: obj} }}
	obj := map[string]any{"kind": "Thing", "metadata": map[string]any{"name": "x"}, "spec": "y"}
	want := runtime.DeepCopyJSON(obj)
	if out, err := NewRegistry().Restore(c, "things", obj); err != nil || len(out.Errors) > 0 || !reflect.DeepEqual(obj, want) {
		t.Errorf("%v %v %v", obj, out, err)
	}
}

// TestModifiersOfFinalizers: what is said of finalizers is said of the object as modified.
func TestModifiersOfFinalizers(t *testing.T) {
	for name, tc := range map[string]struct {
		modified []any
		dropped  []string
		warnings int
	}{
		"as they are":  {modified: []any{"stated.example.com/x"}, dropped: []string{"controller.example.com/x"}, warnings: 1},
		"all removed":  {dropped: []string{"controller.example.com/x"}},
		"one put back": {modified: []any{"stated.example.com/x", "controller.example.com/x"}, dropped: []string{}, warnings: 2},
	} {
		c := &Context{Modify: func(_ string, _, obj map[string]any) Modified {
			child(obj, "metadata")["finalizers"] = tc.modified
			return Modified{Object: obj}
		}}
		obj := object(t, `{"metadata":{"name":"x","finalizers":["stated.example.com/x","controller.example.com/x"],"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"metadata\":{\"finalizers\":[\"stated.example.com/x\"]}}"}}}`)
		out, err := NewRegistry().Restore(c, "things.example.com", obj)
		if err != nil || len(out.Warnings) != tc.warnings || !reflect.DeepEqual(out.Dropped, tc.dropped) {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}
