package resource

import "github.com/lifeboat-backup/lifeboat/internal/report"

// restoreLease skips the heartbeats of nodes and API servers. Other Leases are
// restored without their holder, who is gone: they exist for those who may only
// update them, and a new leader need not wait until the old one's time is over.
// A live Lease is never touched (registry): that would depose a leader.
func restoreLease(_ *Context, obj map[string]any, out *Outcome) error {
	if namespace(obj) == "kube-node-lease" {
		out.setSkip(report.ClusterManaged, "a node's heartbeat: the kubelet makes it")
		return nil
	}
	if label(obj, "apiserver.kubernetes.io/identity") != "" {
		out.setSkip(report.ClusterManaged, "an API server's heartbeat: it makes its own")
		return nil
	}
	drop(child(obj, "spec"), "holderIdentity", "acquireTime", "renewTime", "preferredHolder")
	return nil
}
