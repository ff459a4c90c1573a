package resource

import (
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

const (
	annotationLeader      = "control-plane.alpha.kubernetes.io/leader"
	annotationLastChange  = "endpoints.kubernetes.io/last-change-trigger-time"
	labelEndpointsManager = "endpoints.kubernetes.io/managed-by"
	labelSliceManager     = "endpointslice.kubernetes.io/managed-by"
)

// restoreEndpoints restores the Endpoints that a person wrote for a Service
// without a selector, and skips those the cluster makes.
func restoreEndpoints(c *Context, obj map[string]any, out *Outcome) error {
	switch {
	case apiServerObject(obj):
		out.setSkip(report.ClusterManaged, "the API server keeps its own endpoints")
	case annotation(obj, annotationLeader) != "":
		out.setSkip(report.ClusterManaged, "a leader election's lock: its holder makes it anew")
	case controlledEndpoints(c, obj):
		out.setSkip(report.ClusterManaged, "the endpoints controller makes it from the service's selector")
	}
	return nil
}

// controlledEndpoints knows the marks of the controller by version: the label
// (since 1.33), the time of the last change, and else the Service's selector.
func controlledEndpoints(c *Context, obj map[string]any) bool {
	if label(obj, labelEndpointsManager) == "endpoint-controller" || annotation(obj, annotationLastChange) != "" {
		return true
	}
	return c.ServiceSelects != nil && c.ServiceSelects(namespace(obj), name(obj))
}

// restoreEndpointSlice skips the slices that Kubernetes' controllers make from
// Services or mirror from Endpoints.
func restoreEndpointSlice(c *Context, obj map[string]any, out *Outcome) error {
	service := label(obj, "kubernetes.io/service-name")
	manager := label(obj, labelSliceManager)
	switch {
	case apiServerObject(obj):
		out.setSkip(report.ClusterManaged, "the API server keeps its own endpoints")
	case strings.HasPrefix(manager, "endpointslice"):
		out.setSkip(report.ClusterManaged, "made by "+manager)
	case manager == "" && service != "" && c.ServiceSelects != nil && c.ServiceSelects(namespace(obj), service):
		out.setSkip(report.ClusterManaged, "the endpoint slice controller makes it from the service's selector")
	}
	return nil
}
