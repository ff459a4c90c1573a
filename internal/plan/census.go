package plan

import (
	"maps"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// census counts what a restore selects: how many objects of each level in each
// member, and which namespaces they need.
type census struct {
	counts []map[int]int   // by level: member to objects
	needed map[string]bool // source namespaces of selected objects
	found  map[string]int  // Namespace objects of the archive: name to member
}

func newCensus() *census {
	c := &census{needed: map[string]bool{}, found: map[string]int{}}
	for range levelCount {
		c.counts = append(c.counts, map[int]int{})
	}
	return c
}

func (c *census) add(o Object, f *filter.Restore, related bool) {
	if o.Resource == "namespaces" && o.Namespace == "" {
		c.found[o.Name] = o.Member
	}
	if !related && !f.IncludeObject(o.Resource, o.Namespace, o.Name) {
		return
	}
	c.counts[LevelOf(o.Resource)][o.Member]++
	if o.Namespace != "" {
		c.needed[o.Namespace] = true
	}
}

func (c *census) needs(f *filter.Restore) []NamespaceNeed {
	var out []NamespaceNeed
	for _, source := range slices.Sorted(maps.Keys(c.needed)) {
		member, ok := c.found[source]
		if !ok {
			member = -1
		}
		out = append(out, NamespaceNeed{
			Source: source, Target: f.TargetNamespace(source),
			Member: member, Lazy: f.HasSelectors(),
		})
	}
	return out
}

func (c *census) level(l Level, o RestoreOptions) LevelPlan {
	p := LevelPlan{Level: l, Name: l.String(), Tasks: tasks(c.counts[l], o)}
	for _, t := range p.Tasks {
		p.Objects += t.Objects
	}
	return p
}
