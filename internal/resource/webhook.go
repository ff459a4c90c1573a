package resource

// restoreWebhooks lets the service of each admission webhook follow the
// namespace mapping. v1 accepts no side effects but None and NoneOnDryRun;
// others, left from v1beta1, become None as with Velero. The caBundle is kept:
// the serving certificate is in a Secret that is restored too.
func restoreWebhooks(c *Context, obj map[string]any, _ *Outcome) error {
	c.mapInjection(obj)
	for _, hook := range objects(obj, "webhooks") {
		c.mapField(walk(hook, "clientConfig", "service"), "namespace")
		if str(obj, "apiVersion") != "admissionregistration.k8s.io/v1" {
			continue
		}
		switch str(hook, "sideEffects") {
		case "None", "NoneOnDryRun":
		default:
			hook["sideEffects"] = "None"
		}
	}
	return nil
}

// restorePolicyBinding lets the parameters of an admission policy follow the
// namespace mapping.
func restorePolicyBinding(c *Context, obj map[string]any, _ *Outcome) error {
	c.mapField(walk(obj, "spec", "paramRef"), "namespace")
	return nil
}
