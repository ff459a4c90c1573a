package filter

import (
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// usesOldFilters: one old field switches the whole spec to the old rules.
func usesOldFilters(spec *velerov1.BackupSpec) bool {
	return spec.IncludeClusterResources != nil ||
		len(spec.IncludedResources) > 0 || len(spec.ExcludedResources) > 0
}

func usesNewFilters(spec *velerov1.BackupSpec) bool {
	return len(spec.IncludedClusterScopedResources) > 0 || len(spec.ExcludedClusterScopedResources) > 0 ||
		len(spec.IncludedNamespaceScopedResources) > 0 || len(spec.ExcludedNamespaceScopedResources) > 0
}

// IncludeType says what the backup does with the objects of a type.
// Snapshots of volumes are never listed: RelatedOnly at most.
func (b *Backup) IncludeType(t Type) Decision {
	switch {
	case NeverListed(t.GroupResource):
		return b.relatedDecision(t)
	case b.listsType(t):
		return All
	default:
		return b.relatedDecision(t)
	}
}

// relatedDecision is for types that are not listed. A namespaced type that is
// filtered out stays out: related objects have to pass the type filter too.
func (b *Backup) relatedDecision(t Type) Decision {
	if b.admitsRelated(t) {
		return RelatedOnly
	}
	return None
}

// listsType reports whether the objects of a type are listed.
func (b *Backup) listsType(t Type) bool {
	if b.state.Old {
		return b.oldLists(t)
	}
	if t.Namespaced {
		return b.state.NamespacedTypes.selects(t.GroupResource)
	}
	return b.newListsCluster(t)
}

// oldLists: includeClusterResources decides about cluster-scoped types before
// the lists do; unset, it means "only if every namespace is selected", except
// for Namespace objects.
func (b *Backup) oldLists(t Type) bool {
	if !t.Namespaced {
		auto := b.state.Cluster == nil
		if auto && !b.state.Unfiltered && t.GroupResource != namespacesType {
			return false
		}
		if !auto && !*b.state.Cluster {
			return false
		}
	}
	return b.state.Types.selects(t.GroupResource)
}

// newListsCluster: without any cluster-scoped list an otherwise unfiltered
// backup takes every cluster-scoped type; in all other cases a type has to be
// named. Namespace objects are wanted unless excluded.
func (b *Backup) newListsCluster(t Type) bool {
	r := b.state.ClusterTypes
	if r.Exclude.hasEntryFor(t.GroupResource) {
		return false
	}
	if t.GroupResource == namespacesType {
		return true
	}
	if !r.Include.Given && !r.Exclude.Given {
		return b.state.Unfiltered && b.state.NamespacedTypes.filtersNothing()
	}
	return r.Include.Given && (r.Include.includesAll() || r.Include.hasEntryFor(t.GroupResource))
}

// IncludeRelated reports whether an object that a selected one refers to may
// be added; namespace is empty for cluster-scoped types. Labels do not matter
// for related objects, except ExcludeLabel, which the caller checks. The
// Namespace object of a selected object is one of them.
func (b *Backup) IncludeRelated(t Type, namespace string) bool {
	if t.Namespaced && !b.IncludeNamespace(namespace) {
		return false
	}
	return b.admitsRelated(t)
}

// admitsRelated is the type part of IncludeRelated.
func (b *Backup) admitsRelated(t Type) bool {
	if !t.Namespaced {
		return b.admitsRelatedCluster(t)
	}
	if NeverListed(t.GroupResource) {
		return !b.state.Types.Exclude.hasEntryFor(t.GroupResource) && !b.state.NamespacedTypes.Exclude.hasEntryFor(t.GroupResource)
	}
	return b.listsType(t)
}

// admitsRelatedCluster: cluster-scoped types pass unless they are excluded, or
// the old includeClusterResources rules them out. Unset, that field lets in
// only what the old lists would select, and Namespaces, without whose labels their
// objects may be refused at a restore.
func (b *Backup) admitsRelatedCluster(t Type) bool {
	if !b.state.Old {
		return !b.state.ClusterTypes.Exclude.hasEntryFor(t.GroupResource)
	}
	if b.state.Cluster != nil {
		return *b.state.Cluster && !b.state.Types.Exclude.hasEntryFor(t.GroupResource)
	}
	if NeverListed(t.GroupResource) || t.GroupResource == namespacesType {
		return !b.state.Types.Exclude.hasEntryFor(t.GroupResource)
	}
	return b.state.Types.selects(t.GroupResource)
}

// KeepNamespace reports whether a listed Namespace object is stored for its
// own sake. The list must not use Selectors: a namespace is wanted when its
// name is selected and no selector is in use, or its own labels match. A namespace
// that merely holds selected objects is added as a related object.
func (b *Backup) KeepNamespace(name string, l map[string]string) bool {
	return b.IncludeNamespace(name) && l[ExcludeLabel] != "true" && b.selectors.matchesAny(l)
}
