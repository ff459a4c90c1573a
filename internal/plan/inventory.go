package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// Inventory counts what a restore selects: how many objects of each level in each
// member, and which namespaces they need. Objects are told to it one by one and
// forgotten: its memory grows with members and namespaces, not with objects.
type Inventory struct {
	filter *filter.Restore
	counts []map[int]int   // by level: member to objects
	needed map[string]bool // source namespaces of selected objects
	found  map[string]int  // Namespace objects of the archive: name to member
}

// NewInventory begins the inventory of what a filter selects.
func NewInventory(f *filter.Restore) *Inventory {
	c := &Inventory{filter: f, needed: map[string]bool{}, found: map[string]int{}}
	for range levelCount {
		c.counts = append(c.counts, map[int]int{})
	}
	return c
}

// Add tells of an object of the archive, in any order. It reports whether the
// filter selects the object, labels aside.
func (c *Inventory) Add(o Object) bool {
	if o.Resource == "namespaces" && o.Namespace == "" {
		c.found[strings.Clone(o.Name)] = o.Member // an index block's strings share its memory
	}
	selected := c.filter.IncludeObject(o.Resource, o.Namespace, o.Name)
	if selected {
		c.countObject(o)
	}
	return selected
}

// AddRelated tells of an object that is restored whether the filter selects it
// or not: one that is selected needs it. Each is told of once.
func (c *Inventory) AddRelated(o Object) {
	if !c.filter.IncludeObject(o.Resource, o.Namespace, o.Name) { // else Add has counted it
		c.countObject(o)
	}
}

func (c *Inventory) countObject(o Object) {
	c.counts[LevelOf(o.Resource)][o.Member]++
	if o.Namespace != "" && !c.needed[o.Namespace] {
		c.needed[strings.Clone(o.Namespace)] = true
	}
}

// Plan orders what was counted into levels and tasks.
func (c *Inventory) Plan(o RestoreOptions) RestorePlan {
	o = o.withDefaults()
	p := RestorePlan{Namespaces: c.neededNamespaces()}
	for level := range levelCount {
		if lp := c.planLevel(level, o); lp.Objects > 0 {
			p.Levels, p.Objects = append(p.Levels, lp), p.Objects+lp.Objects
		}
	}
	return p
}

func (c *Inventory) neededNamespaces() []NamespaceNeed {
	var out []NamespaceNeed
	for _, source := range slices.Sorted(maps.Keys(c.needed)) {
		member, ok := c.found[source]
		if !ok {
			member = -1
		}
		out = append(out, NamespaceNeed{
			Source: source, Target: c.filter.TargetNamespace(source),
			Member: member, Lazy: c.filter.HasSelectors(),
		})
	}
	return out
}

func (c *Inventory) planLevel(l Level, o RestoreOptions) LevelPlan {
	p := LevelPlan{Level: l, Name: l.String(), Tasks: cutTasks(c.counts[l], o)}
	for _, t := range p.Tasks {
		p.Objects += t.Objects
	}
	return p
}
