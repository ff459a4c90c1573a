package resource

import (
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// restoreTargetGroupBinding skips the bindings that the AWS Load Balancer Controller made of
// an Ingress or a Service: it makes its own. Restored into a second cluster they would
// name the first one's target group, and its controller would take all targets out of
// that (velero-io/velero#9576). One that a person wrote does the same and is told.
func restoreTargetGroupBinding(_ *Context, obj map[string]any, out *Outcome) error {
	for key := range child(child(obj, "metadata"), "labels") {
		if strings.HasPrefix(key, "ingress.k8s.aws/stack") || strings.HasPrefix(key, "service.k8s.aws/stack") {
			out.setSkip(report.ClusterManaged, "the load balancer controller makes it from the Ingress or Service")
			return nil
		}
	}
	out.addWarning(report.ActsOutside, "it binds target group "+str(child(obj, "spec"), "targetGroupARN")+
		": clusters that bind the same group take each other's targets out of it")
	return nil
}
