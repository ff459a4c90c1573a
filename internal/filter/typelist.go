package filter

import (
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
	r := rule{
		Include: newList(t.resolveNames(path.include, s, include)),
		Exclude: newList(t.resolveNames(path.exclude, s, exclude)),
	}
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
	if ok {
		return found.GroupResource, true
	}
	if t.known != nil {
		if name, ok := t.known(entry); ok {
			return name, true
		}
	}
	t.addReason(report.TypeUnknown, entry, path+" names "+entry+", which is not a resource type here")
	return entry, true
}

func (t *typeLists) addReason(code report.Code, resource, message string) {
	t.reasons = append(t.reasons, report.New(code, message).At(resource, "", ""))
}
