package filter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/glob"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Contents is what an archive holds, as far as filters care.
type Contents struct {
	// Resources are the plural[.group] names of all types.
	Resources []string
}

// Restore is the filter of one restore, bound to an archive and to the target
// cluster's discovery. It is immutable, safe for concurrent use, and survives
// JSON. Namespaces are always source namespaces, before any mapping.
type Restore struct {
	state     restoreState
	selectors selectors
}

// restoreState is what is persisted with a plan.
type restoreState struct {
	Namespaces rule              `json:"namespaces"`
	Types      rule              `json:"types"`
	Status     *rule             `json:"status,omitempty"` // nil: no status is restored
	Cluster    *bool             `json:"cluster,omitempty"`
	Mapping    map[string]string `json:"mapping,omitempty"`
	Selectors  []string          `json:"selectors,omitempty"`
	Names      []string          `json:"names,omitempty"` // sorted; none: no filter by name
}

// NewRestore binds a spec to an archive and a target cluster. names limits the
// restore to single objects: each is "namespace/name", or "name" for objects
// of that name in any scope; none means no such limit. The reasons say which
// types of the spec are not known. The error is FieldErrors when the spec is
// not valid.
func NewRestore(spec *velerov1.RestoreSpec, names []string, resolve Resolver, in Contents) (*Restore, []report.Reason, error) {
	if err := FieldErrors(ValidateRestore(spec, names)).orNil(); err != nil {
		return nil, nil, err
	}
	sel, err := newSelectors(spec.LabelSelector, spec.OrLabelSelectors)
	if err != nil {
		return nil, nil, err
	}
	lists := &typeLists{resolve: resolve, known: in.findType}
	r := &Restore{selectors: sel, state: restoreState{
		Namespaces: rule{Include: newList(spec.IncludedNamespaces), Exclude: newList(spec.ExcludedNamespaces)},
		Types:      lists.resolveRule(fieldPaths("Resources"), anyScope, spec.IncludedResources, spec.ExcludedResources),
		Cluster:    spec.IncludeClusterResources,
		Mapping:    spec.NamespaceMapping,
		Selectors:  sel.texts(),
		Names:      slices.Compact(slices.Sorted(slices.Values(names))),
	}}
	if s := spec.RestoreStatus; s != nil {
		status := lists.resolveRule(fieldPair{"spec.restoreStatus.includedResources", "spec.restoreStatus.excludedResources"}, anyScope,
			s.IncludedResources, s.ExcludedResources)
		r.state.Status = &status
	}
	if err := r.checkResolved(spec).orNil(); err != nil {
		return nil, nil, err
	}
	return r, lists.reasons, nil
}

// checkResolved finds includes that name a non-restorable type by an alias.
func (r *Restore) checkResolved(spec *velerov1.RestoreSpec) FieldErrors {
	var errs FieldErrors
	for _, name := range r.state.Types.Include.Names {
		if NonRestorable(name) {
			errs = append(errs, nonRestorableError("spec.includedResources", name))
		}
	}
	return errs
}

// findType finds a type by its full name or bare plural among the archive's:
// types that the target does not serve can still be named.
func (c Contents) findType(name string) (string, bool) {
	for _, r := range c.Resources {
		if plural, _, _ := strings.Cut(r, "."); r == name || plural == name {
			return r, true
		}
	}
	return "", false
}

// UnmatchedNamespaces reports names and globs of the spec that match none of the
// archive's source namespaces: those of objects and of Namespace objects.
func (r *Restore) UnmatchedNamespaces(archived []string) []report.Reason {
	var reasons []report.Reason
	for _, g := range r.state.Namespaces.Include.Globs {
		if g != everything && !slices.ContainsFunc(archived, func(ns string) bool { return glob.MatchFilter(g, ns) }) {
			reasons = append(reasons, report.New(report.GlobEmpty, "spec.includedNamespaces: no namespace in the backup matches "+g))
		}
	}
	missing := func(name, field string) {
		if name != "" && !slices.Contains(archived, name) {
			why := report.New(report.NamespaceMissing, field+" names "+name+", which is not in the backup")
			reasons = append(reasons, why.As(report.Warning).At("", name, ""))
		}
	}
	for _, name := range r.state.Namespaces.Include.Names {
		missing(name, "spec.includedNamespaces")
	}
	for name := range r.state.Mapping {
		missing(name, "spec.namespaceMapping")
	}
	report.Sort(reasons)
	return reasons
}

// MarshalJSON writes the filter so that another process can go on with it.
func (r *Restore) MarshalJSON() ([]byte, error) { return json.Marshal(r.state) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Restore) UnmarshalJSON(data []byte) error {
	var s restoreState
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read restore filter: %w", err)
	}
	sel, err := parseSelectors(s.Selectors)
	if err != nil {
		return fmt.Errorf("read restore filter: %w", err)
	}
	rules := []*rule{&s.Namespaces, &s.Types}
	if s.Status != nil {
		rules = append(rules, s.Status)
	}
	for _, x := range rules {
		x.Include, x.Exclude = x.Include.withSortedNames(), x.Exclude.withSortedNames()
	}
	slices.Sort(s.Names)
	r.state, r.selectors = s, sel
	return nil
}
