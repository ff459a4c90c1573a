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
		case "aws-auth", "kube-proxy", "kube-proxy-config":
			out.setSkip(report.ClusterManaged, "by it the nodes of the cluster that was backed up join and reach that cluster")
			return nil
		}
	}
	if isPodsLock(obj) {
		out.setSkip(report.ClusterManaged, "it is a lock of the pod that owns it")
		return nil
	}
	dropAnnotations(obj, annotationLeader)
	return nil
}

// isPodsLock recognises the lock of an operator that leads for life: it holds nothing but a
// Pod as its owner. Without that owner no pod can ever take it.
func isPodsLock(obj map[string]any) bool {
	owners := objects(child(obj, "metadata"), "ownerReferences")
	return len(owners) == 1 && str(owners[0], "kind") == "Pod" && str(owners[0], "apiVersion") == "v1" &&
		len(child(obj, "data")) == 0 && len(child(obj, "binaryData")) == 0
}
