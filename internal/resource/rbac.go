package resource

import "github.com/lifeboat-backup/lifeboat/internal/report"

// skipBootstrapRBAC skips what the API server brings to its own version's defaults when it
// starts: another version's rules would take rights from the control plane.
func skipBootstrapRBAC(obj map[string]any, out *Outcome) {
	if annotation(obj, "rbac.authorization.kubernetes.io/autoupdate") == "true" {
		out.setSkip(report.ClusterManaged, "the API server keeps it to its own version's defaults")
	}
}

// restoreRole leaves the rules of an aggregated role to the controller that collects them.
func restoreRole(_ *Context, obj map[string]any, out *Outcome) error {
	skipBootstrapRBAC(obj, out)
	if len(child(obj, "aggregationRule")) > 0 {
		delete(obj, "rules")
	}
	return nil
}

// restoreBinding lets the subjects of a RoleBinding or ClusterRoleBinding follow
// the namespace mapping: service accounts, and the user and group names by which
// Kubernetes calls them.
func restoreBinding(c *Context, obj map[string]any, out *Outcome) error {
	skipBootstrapRBAC(obj, out)
	for _, subject := range objects(obj, "subjects") {
		switch str(subject, "kind") {
		case "ServiceAccount":
			c.mapField(subject, "namespace")
		case "User":
			subject["name"] = c.mapUser(str(subject, "name"))
		case "Group":
			subject["name"] = c.mapGroup(str(subject, "name"))
		}
	}
	return nil
}
