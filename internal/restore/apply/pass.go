package apply

import (
	"bytes"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// mayPass reports false where a glance at an object tells that it is not applied in a pass.
func mayPass(pass plan.Pass, e archive.Entry, body []byte) bool {
	if pass != plan.FirstObjects {
		return true
	}
	return plan.HasFirst(e.Resource) && (e.Resource == "services" || bytes.Contains(body, []byte(`"ownerReferences"`)))
}

// comesFirst says that an object comes before the others of its level; see plan.HasFirst. It
// is asked of what the rules have made of the object, so that all attempts agree.
func (w *desired) comesFirst() bool {
	if w.entry.Resource == "services" {
		return w.keepsAddress()
	}
	if !plan.HasFirst(w.entry.Resource) {
		return false
	}
	for _, o := range w.rules.Owners {
		group, _, _ := strings.Cut(o.APIVersion, "/")
		if _, custom := resource.DefinitionOf("any." + group); o.Controller && custom {
			return true
		}
	}
	return false
}

// keepsAddress says that a Service asks for a port or an address that others may draw.
func (w *desired) keepsAddress() bool {
	spec, _ := w.object["spec"].(map[string]any)
	ip := resource.StringOf(spec["clusterIP"])
	if len(w.rules.ClusterIP) > 0 || ip != "" && ip != "None" || spec["healthCheckNodePort"] != nil {
		return true
	}
	ports, _ := spec["ports"].([]any)
	for _, p := range ports {
		if port, _ := p.(map[string]any); port["nodePort"] != nil {
			return true
		}
	}
	return false
}
