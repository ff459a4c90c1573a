package resource

// restoreAPIService skips what the aggregator registers for itself and lets the
// service of the others follow the namespace mapping.
func restoreAPIService(c *Context, obj map[string]any, out *Outcome) error {
	if label(obj, "kube-aggregator.kubernetes.io/automanaged") != "" {
		out.skip(CodeClusterManaged, "the API server registers this API itself")
		return nil
	}
	c.mapInjection(obj)
	c.mapField(walk(obj, "spec", "service"), "namespace")
	return nil
}
