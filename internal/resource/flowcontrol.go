package resource

import "github.com/lifeboat-backup/lifeboat/internal/report"

// restoreFlowControl skips the flow control objects that the API server keeps
// to its own version's defaults; it would undo the restore at once.
func restoreFlowControl(_ *Context, obj map[string]any, out *Outcome) error {
	if annotation(obj, "apf.kubernetes.io/autoupdate-spec") == "true" {
		out.setSkip(report.ClusterManaged, "the API server keeps it to its own version's defaults")
	}
	return nil
}
