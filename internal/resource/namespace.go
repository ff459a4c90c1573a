package resource

import corev1 "k8s.io/api/core/v1"

// restoreNamespace renames a mapped namespace and clears its spec, which holds
// nothing but the finalizer of the namespace controller.
func restoreNamespace(c *Context, obj map[string]any, _ *Outcome) error {
	delete(child(obj, "spec"), "finalizers")
	dropEmpty(obj, "spec")
	meta := child(obj, "metadata")
	meta["name"] = c.targetNamespace(str(meta, "name"))
	if labels := child(meta, "labels"); str(labels, corev1.LabelMetadataName) != "" {
		labels[corev1.LabelMetadataName] = meta["name"]
	}
	return nil
}
