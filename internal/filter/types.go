package filter

import "strings"

// Type is a resource type as discovery knows it.
type Type struct {
	// GroupResource is plural[.group], the name Velero's filters and paths use.
	GroupResource string `json:"groupResource"`
	Group         string `json:"group,omitempty"`
	Version       string `json:"version"`
	Kind          string `json:"kind"`
	Namespaced    bool   `json:"namespaced,omitempty"`
	// Also are the types of other groups that have the name by which the type was found.
	Also string `json:"-"`
}

// Plural is the resource without its group.
func (t Type) Plural() string {
	plural, _, _ := strings.Cut(t.GroupResource, ".")
	return plural
}

// Resolver gives the type that a user calls by any of its names ("po", "pod",
// "deploy.apps"). ok is false when discovery knows none.
type Resolver func(name string) (t Type, ok bool)

// Namespace is what filters need to know of a namespace of the cluster.
type Namespace struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	// Active is false while the namespace is being deleted.
	Active bool `json:"active"`
}

// Decision is what a backup does with the objects of a type.
type Decision string

// The values are persisted with plans.
const (
	// None: no object of the type is wanted, not even as a related one.
	None Decision = "none"
	// RelatedOnly: objects enter only because a listed object needs them.
	RelatedOnly Decision = "related"
	// All: the type is listed.
	All Decision = "all"
)

// ExcludeLabel on an object or a namespace, with value "true", keeps it out of
// every backup.
const ExcludeLabel = "velero.io/exclude-from-backup"

// Types with rules of their own.
const (
	namespacesType  = "namespaces"
	volumesType     = "persistentvolumes"
	definitionsType = "customresourcedefinitions.apiextensions.k8s.io"
	snapshotsType   = "volumesnapshots.snapshot.storage.k8s.io"
	contentsType    = "volumesnapshotcontents.snapshot.storage.k8s.io"
	dataUploadsType = "datauploads.velero.io"
	everything      = "*"
)

// NeverListed tells the types that a backup takes only together with the volume they
// belong to: listed on their own they would bring back snapshots whose content
// has long gone.
func NeverListed(groupResource string) bool {
	return groupResource == snapshotsType || groupResource == contentsType
}

// CohabitingObjects names the objects that two API groups show as their own, so that
// they are stored once; "" for nearly every type.
func (t Type) CohabitingObjects() string {
	switch t.GroupResource {
	case "deployments.apps", "deployments.extensions":
		return "deployments"
	case "daemonsets.apps", "daemonsets.extensions":
		return "daemonsets"
	case "replicasets.apps", "replicasets.extensions":
		return "replicasets"
	case "networkpolicies.networking.k8s.io", "networkpolicies.extensions":
		return "networkpolicies"
	case "events", "events.events.k8s.io":
		return "events"
	}
	return ""
}
