package compare

import (
	"reflect"
	"testing"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// object decodes JSON as the Kubernetes client does.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var obj map[string]any
	if err := utiljson.Unmarshal([]byte(text), &obj); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return obj
}

func TestDiff(t *testing.T) {
	backup := object(t, `{"metadata":{"name":"a","namespace":"n","uid":"1","labels":{"x":"1"}},"spec":{"replicas":3,"list":[1,2],"empty":{},"gone":"y"},"status":{"a":1}}`)
	live := object(t, `{"metadata":{"name":"a","namespace":"n","uid":"2"},"spec":{"replicas":5,"list":[1],"empty":{}},"status":{"a":2}}`)
	result := object(t, `{"metadata":{"name":"a","namespace":"n","labels":{"x":"1"}},"spec":{"replicas":3.0,"list":[1,2],"empty":{}}}`)
	want := []FieldDiff{
		{Path: "metadata.labels.x", Backup: "1", Result: "1"},
		{Path: "spec.gone", Backup: "y"},
		{Path: "spec.list[1]", Backup: int64(2), Result: int64(2)},
		{Path: "spec.replicas", Backup: int64(3), Live: int64(5), Result: float64(3)},
	}
	if got := Diff("deployments.apps", backup, live, result); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := Diff("deployments.apps", backup, nil, backup); got != nil {
		t.Errorf("a new object that no rule changes has no difference, got %v", got)
	}
}

func TestDiffMasksSecrets(t *testing.T) {
	backup := object(t, `{"type":"Opaque","data":{"same":"aa","back":"bb","three":"cc"}}`)
	live := object(t, `{"type":"x","data":{"same":"aa","back":"dd","three":"ee"}}`)
	result := object(t, `{"type":"Opaque","data":{"same":"aa","back":"bb","three":"ff"}}`)
	want := []FieldDiff{
		{Path: "data.back", Backup: "<masked A>", Live: "<masked B>", Result: "<masked A>"},
		{Path: "data.three", Backup: "<masked A>", Live: "<masked B>", Result: "<masked C>"},
		{Path: "type", Backup: "Opaque", Live: "x", Result: "Opaque"},
	}
	if got := Diff("secrets", backup, live, result); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestLargeIntegers: identifiers and quantities of 64 bits that differ by one are different,
// though they are one floating-point number.
func TestLargeIntegers(t *testing.T) {
	backup := object(t, `{"spec":{"id":9007199254740993,"list":[{"id":-9007199254740993}],"same":9007199254740993}}`)
	live := object(t, `{"spec":{"id":9007199254740992,"list":[{"id":-9007199254740992}],"same":9007199254740993}}`)
	want := map[string]any{"spec": map[string]any{"id": int64(9007199254740993), "list": []any{map[string]any{"id": int64(-9007199254740993)}}}}
	if got := MergePatch(live, backup); !reflect.DeepEqual(got, want) {
		t.Errorf("patch %v, want %v", got, want)
	}
	if got := Diff("widgets.example.com", backup, live, backup); len(got) != 2 {
		t.Errorf("got %v, want id and list[0].id", got)
	}
	for _, pair := range [][2]any{{int64(3), 3.0}, {3, int64(3)}, {3.5, 3.5}} {
		if !Same(pair[0], pair[1]) || !Same(pair[1], pair[0]) {
			t.Errorf("%T %v and %T %v are one number", pair[0], pair[0], pair[1], pair[1])
		}
	}
}
