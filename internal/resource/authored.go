package resource

import (
	"encoding/json"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// authoredFields answers whether a person or tool stated a field in a manifest, or the
// cluster filled it in. Two witnesses: what kubectl applied last, and the field
// owners. The server's own allocations (node ports, cluster IPs) are made after
// field ownership is computed, so they have no owner.
type authoredFields struct {
	applied map[string]any
	owned   []map[string]any // fieldsV1 of every entry but those of subresources
}

func authoredFieldsOf(obj map[string]any) authoredFields {
	var s authoredFields
	if raw := annotation(obj, compare.AnnotationLastApplied); raw != "" {
		// A broken annotation states nothing; kubectl treats it so as well.
		if json.Unmarshal([]byte(raw), &s.applied) != nil {
			s.applied = nil
		}
	}
	for _, entry := range objects(child(obj, "metadata"), "managedFields") {
		if str(entry, "subresource") == "" {
			s.owned = append(s.owned, child(entry, "fieldsV1"))
		}
	}
	return s
}

// hasSpecField says whether spec.<name> was stated.
func (s authoredFields) hasSpecField(name string) bool {
	if _, ok := child(s.applied, "spec")[name]; ok {
		return true
	}
	for _, fields := range s.owned {
		if _, ok := child(fields, "f:spec")["f:"+name]; ok {
			return true
		}
	}
	return false
}

// port is how the field owners key a service port.
type port struct {
	Port     int64  `json:"port"`
	Protocol string `json:"protocol"`
}

// nodePorts returns the node port numbers that were applied, and the ports
// whose node port has an owner.
func (s authoredFields) nodePorts() (applied map[int64]bool, owned map[port]bool) {
	applied, owned = map[int64]bool{}, map[port]bool{}
	for _, p := range objects(child(s.applied, "spec"), "ports") {
		if n, ok := number(p, "nodePort"); ok && n > 0 {
			applied[n] = true
		}
	}
	for _, fields := range s.owned {
		for key := range walk(fields, "f:spec", "f:ports") {
			if _, ok := walk(fields, "f:spec", "f:ports", key)["f:nodePort"]; !ok {
				continue
			}
			if p, ok := parsePortKey(key); ok {
				owned[p] = true
			}
		}
	}
	return applied, owned
}

// parsePortKey reads a key such as k:{"port":80,"protocol":"TCP"}.
func parsePortKey(key string) (port, bool) {
	if len(key) < 3 || key[:2] != "k:" {
		return port{}, false
	}
	var p port
	if json.Unmarshal([]byte(key[2:]), &p) != nil {
		return port{}, false
	}
	if p.Protocol == "" {
		p.Protocol = "TCP"
	}
	return p, true
}

// hasFinalizer says whether the manifest's author stated a finalizer: it stands in
// what kubectl applied, a server-side applier that also states a spec owns it, or a tool
// by which people write manifests does. A controller that adds its own finalizer owns no spec.
func (s authoredFields) hasFinalizer(obj map[string]any, finalizer string) bool {
	for _, f := range list(child(s.applied, "metadata"), "finalizers") {
		if f == finalizer {
			return true
		}
	}
	for _, entry := range objects(child(obj, "metadata"), "managedFields") {
		fields := child(entry, "fieldsV1")
		_, owns := walk(fields, "f:metadata", "f:finalizers")[`v:"`+finalizer+`"`]
		_, spec := fields["f:spec"]
		if owns && (spec && str(entry, "operation") == "Apply" || isAuthoringTool(str(entry, "manager"))) {
			return true
		}
	}
	return false
}

// isAuthoringTool tells the field managers by which people and their tools write whole
// manifests without server-side apply. (A controller goes by its own name.)
func isAuthoringTool(manager string) bool {
	switch manager {
	case "kubectl-create", "kubectl-client-side-apply", "kubectl-edit", "kubectl-replace", "helm", "Helm", "argocd-server", "argocd":
		return true
	}
	return strings.HasPrefix(strings.ToLower(manager), "terraform") || strings.HasPrefix(manager, "pulumi")
}
