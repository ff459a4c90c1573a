package resource

import "github.com/lifeboat-backup/lifeboat/internal/report"

// restoreConfigMap skips the ConfigMaps that Kubernetes writes: an old CA
// written over the new one would break the cluster. A leader election's record
// is dropped, so that the next leader need not wait for the old one.
func restoreConfigMap(_ *Context, obj map[string]any, out *Outcome) error {
	if name(obj) == "kube-root-ca.crt" {
		out.setSkip(report.ClusterManaged, "the cluster writes its own CA into every namespace")
		return nil
	}
	if namespace(obj) == "kube-system" {
		switch name(obj) {
		case "extension-apiserver-authentication", "kube-apiserver-legacy-service-account-token-tracking":
			out.setSkip(report.ClusterManaged, "the API server writes its own")
			return nil
		}
	}
	dropAnnotations(obj, annotationLeader)
	return nil
}
