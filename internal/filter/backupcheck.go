package filter

import (
	"maps"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/glob"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// noteNeverListed warns about includes of types that are never listed.
func (t *typeLists) noteNeverListed(rules ...rule) {
	for _, r := range rules {
		for _, name := range r.Include.Names {
			if NeverListed(name) {
				t.addReason(report.TypeNotListed, name, "the spec includes "+name+", which is only backed up together with its volume")
			}
		}
	}
}

// resolveOrdered resolves the keys of orderedResources. A key that discovery does not
// know stays as it is, because Velero matches the bare plural.
func (t *typeLists) resolveOrdered(spec map[string]string) map[string][]string {
	var out map[string][]string
	for _, key := range slices.Sorted(maps.Keys(spec)) {
		names := splitOrdered(spec[key])
		if len(names) == 0 {
			continue
		}
		if out == nil {
			out = map[string][]string{}
		}
		if found, ok := t.resolve(key); ok {
			key = found.GroupResource
		} else {
			t.addReason(report.TypeUnknown, key, "spec.orderedResources names "+key+", which is not a resource type here")
		}
		out[key] = append(out[key], names...)
	}
	return out
}

// splitOrdered reads "ns/a,ns/b". Spaces around names and empty entries are
// ignored; a name given twice counts once, where it stands first.
func splitOrdered(value string) []string {
	var names []string
	seen := map[string]bool{}
	for entry := range strings.SplitSeq(value, ",") {
		name := strings.TrimSpace(entry)
		if name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// CheckTypes compares the type globs of the spec with the types that exist and
// reports those that match none of their scope. Plain names were checked when
// the filter was made.
func (b *Backup) CheckTypes(types []Type) []report.Reason {
	s := b.state
	var reasons []report.Reason
	for _, c := range []struct {
		scope scope
		lists []list
	}{
		{anyScope, []list{s.Types.Include, s.Types.Exclude}},
		{namespacedScope, []list{s.NamespacedTypes.Include, s.NamespacedTypes.Exclude}},
		{clusterScope, []list{s.ClusterTypes.Include, s.ClusterTypes.Exclude}},
	} {
		for _, l := range c.lists {
			reasons = append(reasons, emptyTypeGlobs(l, c.scope, types)...)
		}
	}
	return reasons
}

func emptyTypeGlobs(l list, s scope, types []Type) []report.Reason {
	var reasons []report.Reason
	for _, g := range l.Globs {
		used := g == everything
		for _, t := range types {
			used = used || s.admits(t) && glob.MatchFilter(g, t.GroupResource)
		}
		if !used {
			reasons = append(reasons, report.New(report.GlobEmpty, "no resource type matches "+g))
		}
	}
	return reasons
}
