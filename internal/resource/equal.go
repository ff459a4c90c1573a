package resource

import "k8s.io/apimachinery/pkg/runtime"

// Equal says whether a live object already is what a restore would make of it:
// want is an object after Restore. Server-owned metadata, status and the labels
// that name backup and restore are left out, and so is everything that the rule
// of the kind leaves to the cluster (a Pod's node, a Service's cluster IP).
// Neither object is changed.
func (r *Registry) Equal(resource string, live, want map[string]any) bool {
	return r.MergePatch(resource, live, want) == nil
}

// withoutClusterFields is a copy of a live object without what its kind's rule leaves to the
// cluster. A rule that would skip the object leaves it as it is so far; the copy
// is only compared.
func (r *Registry) withoutClusterFields(resource string, live map[string]any) map[string]any {
	obj := runtime.DeepCopyJSON(live)
	k := r.kinds[resource]
	if k.backup != nil {
		k.backup(obj) // what is not stored of an object is no difference either
	}
	if k.restore != nil && child(obj, "metadata") != nil {
		var ignored Outcome
		// An error means that no rule can make sense of the live object; it is compared as it is.
		if k.restore(&Context{}, obj, &ignored) != nil {
			obj = runtime.DeepCopyJSON(live)
		}
	}
	return obj
}
