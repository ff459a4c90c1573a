package modify

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// strategicPatches are the strategic merge patches of one rule. Their Go types say by which key
// the elements of a list are merged.
type strategicPatches struct {
	patches []map[string]any
	types   *runtime.Scheme
}

func (s strategicPatches) apply(obj, _ map[string]any) (map[string]any, error) {
	version, _ := obj["apiVersion"].(string)
	kind, _ := obj["kind"].(string)
	typed, err := s.types.New(schema.FromAPIVersionAndKind(version, kind))
	if err != nil {
		return nil, fmt.Errorf("strategicPatches: %s %s is no type of Kubernetes itself, only those say how their lists are merged: use mergePatches or patches", version, kind)
	}
	for i, patch := range s.patches {
		// Both arguments may be changed.
		obj, err = strategicpatch.StrategicMergeMapPatch(obj, runtime.DeepCopyJSON(patch), typed)
		if err != nil {
			return nil, fmt.Errorf("strategicPatches[%d]: %w", i, err)
		}
	}
	return obj, nil
}
