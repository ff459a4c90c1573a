package filter

import (
	"slices"
	"strings"
)

// NonRestorable reports whether objects of the type are never restored: they
// describe the cluster or the Velero installation they were made in.
func NonRestorable(groupResource string) bool {
	switch groupResource {
	case "nodes", "events", "events.events.k8s.io",
		"csinodes.storage.k8s.io", "volumeattachments.storage.k8s.io",
		"backups.velero.io", "restores.velero.io",
		"backuprepositories.velero.io", "resticrepositories.velero.io":
		return true
	}
	return false
}

// mustHave types carry volume data: they pass type, namespace and label
// filters, because a claim that is restored depends on them.
func mustHave(groupResource string) bool {
	return groupResource == dataUploadsType || groupResource == contentsType
}

// IncludeType reports whether objects of the type may be restored at all.
func (r *Restore) IncludeType(groupResource string) bool {
	if NonRestorable(groupResource) {
		return false
	}
	return mustHave(groupResource) || r.state.Types.selects(groupResource)
}

// IncludeNamespace reports whether objects of the source namespace are
// selected. A glob that matches nothing selects nothing.
func (r *Restore) IncludeNamespace(source string) bool { return r.state.Namespaces.selects(source) }

// IncludeClusterScoped reports whether cluster-scoped objects are restored for
// their own sake: if asked for, or, unless ruled out, if no namespace is
// filtered out.
func (r *Restore) IncludeClusterScoped() bool {
	if r.state.Cluster != nil {
		return *r.state.Cluster
	}
	return r.state.Namespaces.filtersNothing()
}

// IncludeObject reports whether an object of the archive is selected, labels
// aside; namespace is empty for cluster-scoped objects.
func (r *Restore) IncludeObject(groupResource, namespace, name string) bool {
	if !r.IncludeType(groupResource) || !r.IncludeName(namespace, name) {
		return false
	}
	switch {
	case groupResource == namespacesType:
		return r.IncludeNamespace(name)
	case namespace == "":
		return r.IncludeClusterScoped()
	}
	return mustHave(groupResource) || r.IncludeNamespace(namespace)
}

// LeavesOutUnasked reports whether a cluster-scoped object is left out for no other reason
// than that some namespaces are: the spec neither asks for such objects nor names the
// namespaces that it wants. Volumes are not meant, which follow their claims.
func (r *Restore) LeavesOutUnasked(groupResource string) bool {
	if mustHave(groupResource) || groupResource == namespacesType || groupResource == volumesType || !r.IncludeType(groupResource) {
		return false
	}
	return r.state.Cluster == nil && r.state.Namespaces.Include.includesAll() && !r.IncludeClusterScoped() &&
		len(r.state.Names) == 0 && !r.HasSelectors()
}

// IncludeRelated reports whether an object that a selected one needs may be
// restored with it. The Namespace of a selected object needs no permission, and the
// definition of a selected custom resource need not be among the included types.
func (r *Restore) IncludeRelated(groupResource, namespace string) bool {
	switch groupResource {
	case namespacesType:
		return true
	case definitionsType:
		return !r.state.Types.Exclude.hasEntryFor(groupResource) && (r.state.Cluster == nil || *r.state.Cluster)
	}
	if !r.IncludeType(groupResource) {
		return false
	}
	if namespace == "" {
		return r.state.Cluster == nil || *r.state.Cluster
	}
	return mustHave(groupResource) || r.IncludeNamespace(namespace)
}

// LeavesOut reports whether an object of the type may be left out that
// IncludeRelated lets in: because of its labels, its name, its type, or because it
// is cluster-scoped.
func (r *Restore) LeavesOut(groupResource string, namespaced bool) bool {
	narrow := r.HasSelectors() || len(r.state.Names) > 0
	if namespaced {
		return r.IncludeType(groupResource) && narrow
	}
	return r.IncludeRelated(groupResource, "") && (narrow || !r.IncludeClusterScoped() || !r.IncludeType(groupResource))
}

// IncludeName reports whether the restore of single objects, if it is one,
// names this one.
func (r *Restore) IncludeName(namespace, name string) bool {
	if len(r.state.Names) == 0 || r.isNamed(name) {
		return true
	}
	return namespace != "" && r.isNamed(namespace+"/"+name)
}

func (r *Restore) isNamed(key string) bool {
	_, found := slices.BinarySearch(r.state.Names, key)
	return found
}

// MatchLabels reports whether the selectors select an object of these labels.
func (r *Restore) MatchLabels(groupResource string, l map[string]string) bool {
	return mustHave(groupResource) || r.selectors.matchesAny(l)
}

// HasSelectors reports whether MatchLabels can ever say no.
func (r *Restore) HasSelectors() bool { return len(r.selectors) > 0 }

// TargetNamespace follows the namespace mapping.
func (r *Restore) TargetNamespace(source string) string {
	if target, ok := r.state.Mapping[source]; ok {
		return target
	}
	return source
}

// StatusAnnotation on an object overrides spec.restoreStatus: "true" or "false".
const StatusAnnotation = "velero.io/restore-status"

// RestoreStatus reports whether the status of an object is to be restored.
func (r *Restore) RestoreStatus(groupResource string, annotations map[string]string) bool {
	switch strings.ToLower(strings.TrimSpace(annotations[StatusAnnotation])) {
	case "true":
		return true
	case "false":
		return false
	}
	return r.state.Status != nil && r.state.Status.selects(groupResource)
}
