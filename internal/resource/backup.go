package resource

import (
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/resource/builtin"
)

// Ref asks for another object to be in the backup too.
type Ref struct {
	Resource  string `json:"resource"` // "plural.group"
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Subject turns the question around: wanted are the objects of Resource that
	// name the service account Namespace/Name as a subject, and what they refer
	// to. Only the caller can look them up.
	Subject bool `json:"subject,omitempty"`
}

// NeedsDecode says whether Backup has to see the decoded object. For all other
// types the bytes of the list are stored as they are, which is what makes a
// backup fast; ByName serves them.
func (r *Registry) NeedsDecode(resource string) bool {
	k := r.kinds[resource]
	return k.backup != nil || k.related != nil
}

// Rewrites says whether Backup may change objects of a type. Where it does not
// and related objects are in the backup anyway, decoding can be left out.
func (r *Registry) Rewrites(resource string) bool {
	return r.kinds[resource].backup != nil
}

// Backup prepares an object for the archive, in place, and names what else
// belongs there because of it. Calling it twice changes nothing more.
func (r *Registry) Backup(resource string, obj map[string]any) (changed bool, related []Ref) {
	k := r.kinds[resource]
	if k.related != nil {
		related = k.related(obj)
	}
	if k.backup != nil {
		changed = k.backup(obj)
	}
	return changed, append(related, r.ByName(resource, namespace(obj), name(obj))...)
}

// ByName names the related objects that follow from an object's name alone, with
// no need to decode it: the RBAC of a service account, the definition of a
// custom resource. Whether that definition exists is for the caller to see: an
// aggregated API has none.
func (r *Registry) ByName(resource, namespace, name string) []Ref {
	if resource == "serviceaccounts" {
		return []Ref{{
			Resource:  "clusterrolebindings.rbac.authorization.k8s.io",
			Namespace: namespace, Name: name, Subject: true,
		}}
	}
	if definition, ok := DefinitionOf(resource); ok {
		return []Ref{definition}
	}
	return nil
}

// DefinitionOf names the CustomResourceDefinition that a type would come from.
// It says no for the types built into Kubernetes: their groups have no dot, or
// are Kubernetes' own.
func DefinitionOf(resource string) (Ref, bool) {
	_, group, ok := strings.Cut(resource, ".")
	if !ok || !strings.Contains(group, ".") || builtin.IsGroup(group) {
		return Ref{}, false
	}
	return Ref{Resource: CustomResourceDefinitions, Name: resource}, true
}
