package resource

// restoreDefinition makes a CustomResourceDefinition acceptable to v1 and lets
// its conversion webhook follow the namespace mapping. preserveUnknownFields is
// read-only false in v1; the same meaning is a mark in each version's schema.
func restoreDefinition(c *Context, obj map[string]any, _ *Outcome) error {
	c.mapInjection(obj)
	spec := child(obj, "spec")
	c.mapField(walk(spec, "conversion", "webhook", "clientConfig", "service"), "namespace")
	if str(obj, "apiVersion") != "apiextensions.k8s.io/v1" || !boolean(spec, "preserveUnknownFields") {
		return nil
	}
	spec["preserveUnknownFields"] = false
	for _, version := range objects(spec, "versions") {
		markPreserving(version)
	}
	return nil
}

func markPreserving(version map[string]any) {
	schema := walk(version, "schema", "openAPIV3Schema")
	if schema == nil {
		schema = map[string]any{"type": "object"}
		version["schema"] = map[string]any{"openAPIV3Schema": schema}
	}
	schema["x-kubernetes-preserve-unknown-fields"] = true
}
