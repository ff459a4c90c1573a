package resource

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// filterFinalizers decides which finalizers a restored object has, so that
// deleting it later does not wait for a controller that is not there:
//
//   - those of Kubernetes itself are dropped: the cluster adds them again to
//     the objects that need them;
//   - those that a controller added are dropped: a running controller adds them
//     again at its next look, a missing one would never remove them;
//   - those that the manifest's author stated are kept, because they say what
//     deletion is to mean (an Argo CD Application that cascades), with a warning.
func filterFinalizers(obj, meta map[string]any, out *Outcome) {
	keepItems(meta, "finalizers", func(item any) bool {
		finalizer, ok := item.(string)
		return ok && !builtinFinalizer(finalizer)
	})
	if len(list(meta, "finalizers")) == 0 {
		delete(meta, "finalizers")
		return // nearly every object ends here, before the annotation is parsed
	}
	author := authoredFieldsOf(obj)
	keepItems(meta, "finalizers", func(item any) bool {
		finalizer, _ := item.(string)
		if !author.hasFinalizer(obj, finalizer) {
			out.Dropped = append(out.Dropped, finalizer)
			return false
		}
		return true
	})
}

// warnOfFinalizers warns of those that the object has in the end: modifiers may have taken
// some away, or put back what was dropped.
func warnOfFinalizers(resource string, meta map[string]any, out *Outcome) {
	for _, item := range list(meta, "finalizers") {
		finalizer, _ := item.(string)
		out.Dropped = slices.DeleteFunc(out.Dropped, func(dropped string) bool { return dropped == finalizer })
		out.addWarning(report.FinalizerKept, fmt.Sprintf(
			"finalizer %s was kept as the manifest states it; deleting this %s waits for its controller", finalizer, resource))
	}
}

// builtinFinalizer recognises the finalizers of Kubernetes and of its sidecars
// (kubernetes.io/pvc-protection, external-attacher/…, batch.kubernetes.io/job-tracking).
func builtinFinalizer(finalizer string) bool {
	domain, _, qualified := strings.Cut(finalizer, "/")
	switch {
	case finalizer == "foregroundDeletion", finalizer == "orphan", finalizer == "kubernetes":
		return true
	case finalizer == "customresourcecleanup.apiextensions.k8s.io":
		return true
	case !qualified:
		return false
	case domain == "external-attacher", domain == "external-provisioner":
		return true
	}
	return inDomain(domain, "kubernetes.io") || inDomain(domain, "k8s.io")
}

func inDomain(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}
