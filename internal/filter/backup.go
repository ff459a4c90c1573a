package filter

import (
	"encoding/json"
	"fmt"
	"slices"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Backup is the filter of one backup, bound to the cluster it was made for.
// It is immutable, safe for concurrent use, and survives JSON.
type Backup struct {
	state     backupState
	selectors selectors
}

// backupState is what is persisted with a plan.
type backupState struct {
	Namespaces rule `json:"namespaces"`
	// Unfiltered: the spec selects every namespace.
	Unfiltered bool `json:"unfiltered,omitempty"`
	// Selected are the existing namespaces that pass, sorted.
	Selected []string `json:"selected,omitempty"`
	// Old: the spec uses includedResources, excludedResources or
	// includeClusterResources; Types and Cluster count then, otherwise
	// NamespacedTypes and ClusterTypes do.
	Old             bool                `json:"old,omitempty"`
	Cluster         *bool               `json:"cluster,omitempty"`
	Types           rule                `json:"types"`
	NamespacedTypes rule                `json:"namespacedTypes"`
	ClusterTypes    rule                `json:"clusterTypes"`
	Selectors       []string            `json:"selectors,omitempty"`
	Ordered         map[string][]string `json:"ordered,omitempty"`
}

// NewBackup binds a spec to a cluster. The reasons say which parts of the spec
// select nothing; an included namespace that does not exist is an error among
// them, as in Velero. The error is FieldErrors when the spec is not valid.
func NewBackup(spec *velerov1.BackupSpec, resolve Resolver, namespaces []Namespace) (*Backup, []report.Reason, error) {
	errs := append(FieldErrors(ValidateBackup(spec)), optedOut(spec, namespaces)...)
	if err := errs.orNil(); err != nil {
		return nil, nil, err
	}
	sel, err := newSelectors(spec.LabelSelector, spec.OrLabelSelectors)
	if err != nil {
		return nil, nil, err
	}
	b := &Backup{selectors: sel}
	b.state.Selectors = sel.texts()
	reasons := b.bindNamespaces(spec, namespaces)
	reasons = append(reasons, b.bindTypes(spec, resolve)...)
	return b, reasons, nil
}

// bindTypes reads the type filters, old or new, and orderedResources.
func (b *Backup) bindTypes(spec *velerov1.BackupSpec, resolve Resolver) []report.Reason {
	lists := &typeLists{resolve: resolve}
	s := &b.state
	s.Old, s.Cluster = usesOldFilters(spec), spec.IncludeClusterResources
	if s.Old {
		s.Types = lists.resolveRule(fieldPaths("Resources"), anyScope, spec.IncludedResources, spec.ExcludedResources)
	} else {
		s.NamespacedTypes = lists.resolveRule(fieldPaths("NamespaceScopedResources"), namespacedScope,
			spec.IncludedNamespaceScopedResources, spec.ExcludedNamespaceScopedResources)
		s.ClusterTypes = lists.resolveRule(fieldPaths("ClusterScopedResources"), clusterScope,
			spec.IncludedClusterScopedResources, spec.ExcludedClusterScopedResources)
	}
	lists.noteNeverListed(s.Types, s.NamespacedTypes, s.ClusterTypes)
	s.Ordered = lists.resolveOrdered(spec.OrderedResources)
	return lists.reasons
}

// MarshalJSON writes the filter so that another process can go on with it.
func (b *Backup) MarshalJSON() ([]byte, error) { return json.Marshal(b.state) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (b *Backup) UnmarshalJSON(data []byte) error {
	var s backupState
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read backup filter: %w", err)
	}
	sel, err := parseSelectors(s.Selectors)
	if err != nil {
		return fmt.Errorf("read backup filter: %w", err)
	}
	for _, r := range []*rule{&s.Namespaces, &s.Types, &s.NamespacedTypes, &s.ClusterTypes} {
		r.Include, r.Exclude = r.Include.withSortedNames(), r.Exclude.withSortedNames()
	}
	b.state, b.selectors = s, sel
	return nil
}

// Namespaces are the existing namespaces whose objects are selected, sorted.
// A namespace that is being deleted is among them when it is named or when
// everything is selected, but never through a glob.
func (b *Backup) Namespaces() []string { return slices.Clone(b.state.Selected) }

// AllNamespaces reports whether a type may be listed with one cluster-wide
// list, whose objects IncludeNamespace then sorts out. It is true for an empty
// include list and for "*", with or without excludes.
func (b *Backup) AllNamespaces() bool { return b.state.Namespaces.Include.includesAll() }

// IncludeNamespace reports whether objects of the namespace are selected. A
// namespace that appeared after the filter was made is selected when the spec
// selects all namespaces and does not exclude it.
func (b *Backup) IncludeNamespace(name string) bool { return b.state.Namespaces.selects(name) }

// NamesTypes reports whether the spec names each type that it wants, so that others do not
// matter to it.
func (b *Backup) NamesTypes() bool {
	named := func(l list) bool { return l.Given && len(l.Globs) == 0 }
	if b.state.Old {
		return named(b.state.Types.Include)
	}
	cluster := b.state.ClusterTypes.Include
	return named(b.state.NamespacedTypes.Include) && (!cluster.Given || named(cluster))
}

// Selectors are the label selectors to list with, one list call each; [""]
// when objects are not selected by label. With several of them an object may
// match more than one: store it only where FirstMatch says so.
func (b *Backup) Selectors() []string {
	if len(b.state.Selectors) == 0 {
		return []string{""}
	}
	return slices.Clone(b.state.Selectors)
}

// MatchLabels reports whether one of the selectors selects an object of these
// labels.
func (b *Backup) MatchLabels(l map[string]string) bool { return b.selectors.matchesAny(l) }

// FirstMatch reports whether the index-th of Selectors is the first to match
// these labels, so that an object found by several lists is stored once.
func (b *Backup) FirstMatch(index int, l map[string]string) bool {
	return len(b.selectors) < 2 || b.selectors.firstMatch(l) == index
}

// Ordered are the objects of a type that come first, in this order, each
// "namespace/name" or "name"; nil for nearly every type. A key of
// spec.orderedResources is the plural without group, as in Velero, or any name
// that discovery resolves to the type.
func (b *Backup) Ordered(t Type) []string {
	if o, ok := b.state.Ordered[t.GroupResource]; ok {
		return o
	}
	return b.state.Ordered[t.Plural()]
}
