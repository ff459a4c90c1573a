package resource

// restoreBinding lets the subjects of a RoleBinding or ClusterRoleBinding follow
// the namespace mapping: service accounts, and the user and group names by which
// Kubernetes calls them.
func restoreBinding(c *Context, obj map[string]any, _ *Outcome) error {
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
