package resource

import (
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// restoreWebhooks lets the service of each admission webhook follow the
// namespace mapping. v1 accepts no side effects but None and NoneOnDryRun;
// others, left from v1beta1, become None as with Velero. The caBundle is kept:
// the serving certificate is in a Secret that is restored too. Webhooks that the control
// plane serves to itself, as EKS's for pod identities, have the CA of their own cluster
// and are skipped.
func restoreWebhooks(c *Context, obj map[string]any, out *Outcome) error {
	c.mapInjection(obj)
	for _, hook := range objects(obj, "webhooks") {
		if url := str(child(hook, "clientConfig"), "url"); strings.HasPrefix(url, "https://127.0.0.1") || strings.HasPrefix(url, "https://localhost") {
			out.setSkip(report.ClusterManaged, "the control plane serves it to itself, at "+url)
		}
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

// retainWebhookCA keeps the CA of a live webhook that is called by a URL: what serves it lies
// outside of this restore and has the certificate that it had.
func retainWebhookCA(live, want map[string]any) {
	bundles := map[string]any{} // by name and url
	for _, hook := range objects(live, "webhooks") {
		if config := child(hook, "clientConfig"); str(config, "url") != "" {
			bundles[str(hook, "name")+" "+str(config, "url")] = config["caBundle"]
		}
	}
	for _, hook := range objects(want, "webhooks") {
		config := child(hook, "clientConfig")
		if bundle, ok := bundles[str(hook, "name")+" "+str(config, "url")]; ok && bundle != nil {
			config["caBundle"] = bundle
		}
	}
}

// restorePolicyBinding lets the parameters of an admission policy follow the
// namespace mapping.
func restorePolicyBinding(c *Context, obj map[string]any, _ *Outcome) error {
	c.mapField(walk(obj, "spec", "paramRef"), "namespace")
	return nil
}
