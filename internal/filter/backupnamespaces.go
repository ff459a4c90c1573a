package filter

import (
	"slices"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/glob"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// bindNamespaces resolves the namespace filter against the cluster.
//
// With an include list of names and globs, globs are expanded now, against
// active namespaces. With "*" or no include list nothing is expanded, so that
// exclude globs also hold for namespaces that appear while the backup runs.
// An exclude glob that matches nothing is no mistake: it may stand in a
// schedule for namespaces that come and go.
func (b *Backup) bindNamespaces(spec *velerov1.BackupSpec, all []Namespace) []report.Reason {
	include, reasons := expandNamespaces(spec.IncludedNamespaces, all)
	b.state.Namespaces = rule{Include: include, Exclude: newList(spec.ExcludedNamespaces)}
	b.state.Unfiltered = b.state.Namespaces.filtersNothing() ||
		(!b.state.Namespaces.Exclude.Given && namesAllActive(include, all))
	b.excludeLabelled(all)
	b.state.Selected = selectedNames(b.state.Namespaces, all)
	return append(reasons, namedNamespaces(spec, all)...)
}

// expandNamespaces replaces globs by the active namespaces they match; a list
// that lets everything in is returned as it is.
func expandNamespaces(entries []string, all []Namespace) (list, []report.Reason) {
	l := newList(entries)
	if l.includesAll() {
		return l, nil
	}
	var reasons []report.Reason
	for _, g := range l.Globs {
		names := globMatches(g, all)
		if len(names) == 0 {
			reasons = append(reasons, report.New(report.GlobEmpty, "spec.includedNamespaces: no active namespace matches "+g))
		}
		l.Names = append(l.Names, names...)
	}
	l.Globs = nil
	return l.withSortedNames(), reasons
}

func globMatches(pattern string, all []Namespace) []string {
	var names []string
	for _, ns := range all {
		if ns.Active && glob.MatchFilter(pattern, ns.Name) {
			names = append(names, ns.Name)
		}
	}
	return names
}

// namesAllActive: listing every active namespace by name or glob counts as
// selecting everything, as in Velero.
func namesAllActive(include list, all []Namespace) bool {
	for _, ns := range all {
		if ns.Active && !include.hasEntryFor(ns.Name) {
			return false
		}
	}
	active := slices.ContainsFunc(all, func(ns Namespace) bool { return ns.Active })
	return active && !slices.ContainsFunc(include.Names, func(n string) bool { return !isActive(n, all) })
}

func isActive(name string, all []Namespace) bool {
	return slices.ContainsFunc(all, func(ns Namespace) bool { return ns.Name == name && ns.Active })
}

// excludeLabelled adds the namespaces that are labelled to stay out.
func (b *Backup) excludeLabelled(all []Namespace) {
	ex := &b.state.Namespaces.Exclude
	for _, ns := range all {
		if ns.Labels[ExcludeLabel] == "true" {
			ex.Names = append(ex.Names, ns.Name)
			ex.Given = true
		}
	}
	*ex = ex.withSortedNames()
}

func selectedNames(r rule, all []Namespace) []string {
	var names []string
	for _, ns := range all {
		if r.selects(ns.Name) {
			names = append(names, ns.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// namedNamespaces reports included names that do not exist (an error, as in
// Velero) or are being deleted. The empty name is Velero's way to say "no
// namespace" and is no mistake.
func namedNamespaces(spec *velerov1.BackupSpec, all []Namespace) []report.Reason {
	var reasons []report.Reason
	for _, name := range newList(spec.IncludedNamespaces).Names {
		i := slices.IndexFunc(all, func(ns Namespace) bool { return ns.Name == name })
		switch {
		case name == "":
		case i < 0:
			r := report.New(report.NamespaceMissing, "spec.includedNamespaces names "+name+", which does not exist in the cluster")
			reasons = append(reasons, r.At("", name, ""))
		case !all[i].Active:
			r := report.New(report.NamespaceTerminating, "spec.includedNamespaces names "+name+", which is being deleted")
			reasons = append(reasons, r.At("", name, ""))
		}
	}
	return reasons
}

// optedOut finds namespaces that the spec names and that are labelled to stay
// out of every backup: the user asks for both, so neither may win in silence.
func optedOut(spec *velerov1.BackupSpec, all []Namespace) []FieldError {
	var errs []FieldError
	for i, name := range spec.IncludedNamespaces {
		for _, ns := range all {
			if ns.Name == name && ns.Labels[ExcludeLabel] == "true" {
				errs = append(errs, FieldError{
					Path:    elementPath("spec.includedNamespaces", i),
					Message: "namespace " + name + " is labelled " + ExcludeLabel + "=true; remove the label or the name",
				})
			}
		}
	}
	return errs
}
