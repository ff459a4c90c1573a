package filter

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/glob"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// scope limits a filter list to the types of one scope.
type scope int

const (
	anyScope scope = iota
	namespacedScope
	clusterScope
)

func (s scope) admits(t Type) bool {
	return s == anyScope || (s == namespacedScope) == t.Namespaced
}

// fieldPair are the paths of an include list and its exclude list.
type fieldPair struct{ include, exclude string }

func fieldPaths(suffix string) fieldPair {
	return fieldPair{"spec.included" + suffix, "spec.excluded" + suffix}
}

// typeLists resolves the type names of a spec and collects what is wrong with
// them.
type typeLists struct {
	resolve Resolver
	known   func(name string) (groupResource string, ok bool) // a second source of names, may be nil
	reasons []report.Reason
}

// resolveRule reads a pair of lists. An include of the wrong scope selects nothing
// and leaves the list given; an exclude of the wrong scope has no effect, as
// in Velero.
func (t *typeLists) resolveRule(path fieldPair, s scope, include, exclude []string) rule {
	before := len(t.reasons)
	r := rule{Include: newList(t.resolveNames(path.include, s, include))}
	missed := func(r report.Reason) bool { return r.Code == report.TypeUnknown || r.Code == report.TypeWrongScope }
	if found := t.reasons[before:]; len(include) > 0 && len(slices.DeleteFunc(slices.Clone(found), missed)) == len(found)-len(include) {
		for i := range found { // nothing is left of what the spec asks for
			found[i] = found[i].As(report.Error)
		}
	}
	r.Exclude = newList(t.resolveNames(path.exclude, s, exclude))
	r.Include.Given = len(include) > 0
	return r
}

// resolveNames keeps globs and unknown names as they are: an unknown name matches
// nothing, but a list of only unknown names must not become "everything".
func (t *typeLists) resolveNames(path string, s scope, entries []string) []string {
	var out []string
	for _, e := range entries {
		if glob.IsFilter(e) {
			out = append(out, e)
			continue
		}
		if name, ok := t.resolveName(path, s, e); ok {
			out = append(out, name)
		}
	}
	return out
}

func (t *typeLists) resolveName(path string, s scope, entry string) (string, bool) {
	found, ok := t.resolve(entry)
	if ok && !s.admits(found) {
		t.addReason(report.TypeWrongScope, found.GroupResource, path+" names "+entry+", a type of the other scope")
		return "", false
	}
	if ok && found.Also != "" {
		t.addReason(report.TypeAmbiguous, found.GroupResource, fmt.Sprintf("%s names %s, which is taken for %s and not for %s", path, entry, found.GroupResource, found.Also))
	}
	if ok {
		return found.GroupResource, true
	}
	if t.known != nil {
		// What is never restored is excluded by every Restore that Velero's server has seen.
		if name, ok := t.known(entry); ok || NonRestorable(entry) {
			return cmp.Or(name, entry), true
		}
	}
	t.addReason(report.TypeUnknown, entry, path+" names "+entry+", which is not a resource type here")
	return entry, true
}

func (t *typeLists) addReason(code report.Code, resource, message string) {
	t.reasons = append(t.reasons, report.New(code, message).At(resource, "", ""))
}
