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
	first  []map[int]int   // of these: objects of types for which HasFirst holds
	needed map[string]bool // source namespaces of selected objects
	found  map[string]int  // Namespace objects of the archive: name to member
}

// NewInventory begins the inventory of what a filter selects.
func NewInventory(f *filter.Restore) *Inventory {
	c := &Inventory{filter: f, needed: map[string]bool{}, found: map[string]int{}}
	for range levelCount {
		c.counts, c.first = append(c.counts, map[int]int{}), append(c.first, map[int]int{})
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
	level := LevelOf(o.Resource)
	c.counts[level][o.Member]++
	if HasFirst(o.Resource) {
		c.first[level][o.Member]++
	}
	if o.Namespace != "" && !c.needed[o.Namespace] {
		c.needed[strings.Clone(o.Namespace)] = true
	}
}

// Plan orders what was counted into levels and tasks.
func (c *Inventory) Plan(o RestoreOptions) RestorePlan {
	o = o.withDefaults()
	p := RestorePlan{Namespaces: c.neededNamespaces()}
	for level := range levelCount {
		lp := c.planLevel(level, o)
		if first := c.planFirst(level, o); len(first.Tasks) > 0 {
			lp.Pass = OtherObjects
			p.Levels = append(p.Levels, first)
		}
		if lp.Objects > 0 {
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

// planFirst is the pass of a level in which only the objects are applied that come before
// others. They are counted in the other pass. One object alone needs no pass.
func (c *Inventory) planFirst(l Level, o RestoreOptions) LevelPlan {
	p := LevelPlan{Level: l, Name: l.String() + "-first", Pass: FirstObjects}
	objects := 0
	for _, n := range c.first[l] {
		objects += n
	}
	if objects < 2 {
		return p
	}
	p.Tasks = cutTasks(c.first[l], o)
	for i := range p.Tasks {
		p.Tasks[i].Objects = 0
	}
	return p
}

func (c *Inventory) planLevel(l Level, o RestoreOptions) LevelPlan {
	p := LevelPlan{Level: l, Name: l.String(), Tasks: cutTasks(c.counts[l], o)}
	for _, t := range p.Tasks {
		p.Objects += t.Objects
	}
	return p
}
