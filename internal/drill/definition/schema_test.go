package definition_test

import (
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/golden"
	"github.com/lifeboat-backup/lifeboat/internal/golden/schema"
)

// TestSchema writes the published schema out of the types and their comments, and compares.
func TestSchema(t *testing.T) {
	w := &schema.Writer{Comments: schema.ReadComments(t, "document.go", "assertion.go"), Special: schemaOfValue}
	root := w.Object(reflect.TypeFor[definition.Drill]())
	for what, text := range w.Comments {
		if text == "" {
			t.Errorf("%s has no comment, and so no description in the schema", what)
		}
	}
	head := schema.Ordered{
		{Name: "$schema", Value: "https://json-schema.org/draft/2020-12/schema"},
		{Name: "$id", Value: "https://github.com/lifeboat-backup/lifeboat/drill/v1"},
		{Name: "title", Value: "Restore drill"},
		{Name: "description", Value: "What is restored, what has to hold of it, and what the drill may use. docs/DRILLS.md explains it."},
	}
	golden.CompareJSON(t, "../../../docs/schemas/drill-v1.json", "the published schema is that of the types",
		append(append(head, root...), schema.Member{Name: "$defs", Value: w.Defs}))
}

// schemaOfValue is the schema of enumerations, durations and what is Kubernetes' own.
func schemaOfValue(w *schema.Writer, t reflect.Type, _ bool) schema.Ordered {
	if name := t.Name(); name == "APIVersion" || name == "Kind" {
		return nil
	}
	switch value := reflect.Zero(t).Interface().(type) {
	case interface{ Values() []string }:
		return w.Define(t, func() schema.Ordered { return schema.Ordered{{Name: "enum", Value: value.Values()}} })
	case metav1.Duration:
		return schema.Ordered{{Name: "type", Value: "string"}, {Name: "pattern", Value: "^([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$"}}
	case intstr.IntOrString:
		return schema.Ordered{{Name: "type", Value: []string{"integer", "string"}}}
	case metav1.LabelSelector:
		return schema.Ordered{{Name: "type", Value: "object"}, {Name: "description", Value: "A label selector of Kubernetes: matchLabels, matchExpressions."}}
	}
	return nil
}
