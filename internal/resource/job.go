package resource

import "github.com/lifeboat-backup/lifeboat/internal/report"

// jobUIDLabels tie a Job to its Pods by the Job's uid, which is new after a
// restore; the server writes them again.
func jobUIDLabels() []string {
	return []string{"controller-uid", "batch.kubernetes.io/controller-uid"}
}

// restoreJob lets the server generate the selector anew, unless the Job's
// author wrote it (manualSelector). A Job that had ended is skipped: it would
// run again.
func restoreJob(_ *Context, obj map[string]any, out *Outcome) error {
	if why := jobEnd(child(obj, "status")); why != "" {
		out.setSkip(report.Finished, "the job had ended: "+why)
	}
	dropAnnotations(obj, "batch.kubernetes.io/job-tracking")
	spec := child(obj, "spec")
	if boolean(spec, "manualSelector") {
		return nil
	}
	selector := child(spec, "selector")
	drop(child(selector, "matchLabels"), jobUIDLabels()...)
	dropEmpty(selector, "matchLabels")
	dropEmpty(spec, "selector")
	dropLabels(walk(spec, "template", "metadata"), jobUIDLabels()...)
	// A Job without labels is given those of its template when it is read.
	dropLabels(child(obj, "metadata"), jobUIDLabels()...)
	return nil
}

// jobEnd says how a Job ended. Its end is settled (since Kubernetes 1.31) while its last pods
// are still running, before the conditions of the end itself.
func jobEnd(status map[string]any) string {
	if at := str(status, "completionTime"); at != "" {
		return "completed at " + at
	}
	for _, kind := range []string{"Complete", "Failed", "SuccessCriteriaMet", "FailureTarget"} {
		if condition(status, kind) == "True" {
			return "condition " + kind
		}
	}
	return ""
}
