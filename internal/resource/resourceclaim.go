package resource

import "github.com/lifeboat-backup/lifeboat/internal/report"

// restoreResourceClaim skips the claims for devices that the cluster makes of a template for
// one pod: it looks for them by the pod's uid, which is new, and makes others.
func restoreResourceClaim(_ *Context, obj map[string]any, out *Outcome) error {
	if annotation(obj, "resource.kubernetes.io/pod-claim-name") != "" {
		out.setSkip(report.OwnerRecreates, "the cluster makes one of its template for each pod")
	}
	return nil
}
