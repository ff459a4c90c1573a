package resource

import (
	"reflect"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/util/json"
)

// TestNeeds has the objects that bring others, docs/VELERO.md 7.5.
func TestNeeds(t *testing.T) {
	claim := func(name string) Ref {
		return Ref{Resource: "persistentvolumeclaims", Namespace: "shop", Name: name}
	}
	class := Ref{Resource: "priorityclasses.scheduling.k8s.io", Name: "urgent"}
	const mounts = `"spec":{"priorityClassName":"urgent","volumes":[{"name":"a","persistentVolumeClaim":{"claimName":"data"}},{"name":"tmp","ephemeral":{}},{"name":"c","configMap":{"name":"x"}}]}`
	for name, tc := range map[string]struct {
		resource, obj string
		want          []Ref
	}{
		"pod":                {"pods", `{"metadata":{"name":"web","namespace":"shop"},` + mounts + `}`, []Ref{claim("data"), claim("web-tmp"), class}},
		"pod that had ended": {"pods", `{"metadata":{"name":"web","namespace":"shop"},"status":{"phase":"Succeeded"},` + mounts + `}`, nil},
		"mirror pod":         {"pods", `{"metadata":{"name":"web","namespace":"shop","annotations":{"kubernetes.io/config.mirror":"x"}},` + mounts + `}`, nil},
		"pod of a job":       {"pods", `{"metadata":{"name":"web","namespace":"shop","ownerReferences":[{"kind":"Job","name":"j","controller":true}]},"spec":{"priorityClassName":"urgent"}}`, []Ref{class}},
		"pod without":        {"pods", `{"metadata":{"name":"web","namespace":"shop"}}`, nil},
		"bound snapshot":     {"volumesnapshots.snapshot.storage.k8s.io", `{"metadata":{"name":"s"},"status":{"boundVolumeSnapshotContentName":"c"}}`, []Ref{{Resource: "volumesnapshotcontents.snapshot.storage.k8s.io", Name: "c"}}},
		"static snapshot":    {"volumesnapshots.snapshot.storage.k8s.io", `{"metadata":{"name":"s"},"spec":{"source":{"volumeSnapshotContentName":"c"}}}`, []Ref{{Resource: "volumesnapshotcontents.snapshot.storage.k8s.io", Name: "c"}}},
		"unbound snapshot":   {"volumesnapshots.snapshot.storage.k8s.io", `{"metadata":{"name":"s"}}`, nil},
		"secret":             {"secrets", `{"metadata":{"name":"s"}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var obj map[string]any
			if err := json.Unmarshal([]byte(tc.obj), &obj); err != nil {
				t.Fatal(err)
			}
			r := NewRegistry()
			got := r.Needs(tc.resource, obj)
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			for _, ref := range got { // what is needed is of a type that was announced
				need := Need{Resource: ref.Resource, Namespaced: ref.Namespace != ""}
				if !slices.Contains(r.Dependencies()[tc.resource], need) {
					t.Errorf("%v is not among %v", need, r.Dependencies()[tc.resource])
				}
			}
		})
	}
}
