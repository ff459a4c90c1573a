package resource

import "github.com/lifeboat-backup/lifeboat/internal/report"

// restoreAPIService skips what the aggregator registers for itself and lets the
// service of the others follow the namespace mapping.
func restoreAPIService(c *Context, obj map[string]any, out *Outcome) error {
	if label(obj, "kube-aggregator.kubernetes.io/automanaged") != "" {
		out.setSkip(report.ClusterManaged, "the API server registers this API itself")
		return nil
	}
	c.mapInjection(obj)
	c.mapField(walk(obj, "spec", "service"), "namespace")
	return nil
}
