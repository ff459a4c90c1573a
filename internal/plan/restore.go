package plan

import (
	"maps"
	"slices"
)

// Object is an entry of an archive's index.
type Object struct {
	Member    int
	Resource  string // plural[.group]
	Namespace string
	Name      string
}

// Range is a run of archive members, From included, To not.
type Range struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Task is the work of one apply activity: read the members of the ranges once
// and apply the objects for which LevelOf gives the task's level and the
// restore's filter says yes.
type Task struct {
	Ranges []Range `json:"ranges"`
	// Objects is how many objects the filter selects there, labels aside.
	Objects int `json:"objects"`
}

// Pass is which of a level's objects are applied.
type Pass string

// A level is applied at once, or in two passes where some of its objects have to come before
// the others. Which ones these are is known when they are read.
const (
	AllObjects   Pass = ""
	FirstObjects Pass = "first"
	OtherObjects Pass = "others"
)

// LevelPlan is one level, or pass of a level, that has anything to do.
type LevelPlan struct {
	Level Level  `json:"level"`
	Name  string `json:"name"`
	Pass  Pass   `json:"pass,omitempty"`
	// Tasks may run in any order, or at once.
	Tasks   []Task `json:"tasks"`
	Objects int    `json:"objects"`
}

// NamespaceNeed is a source namespace that selected objects live in. Its
// target must exist before they are applied.
type NamespaceNeed struct {
	Source string `json:"source"`
	Target string `json:"target"`
	// Member holds the Namespace object; -1 when the archive has none and a
	// bare namespace is made.
	Member int `json:"member"`
	// Lazy namespaces may turn out to hold no selected object, because labels
	// are known only when objects are read: make them when the first is found.
	Lazy bool `json:"lazy,omitempty"`
}

// RestorePlan is what a restore does, in order: make the namespaces that are
// needed, then level by level. Namespace objects that the filter selects for
// their own sake are objects of the Namespaces level as well; making one twice
// is harmless.
type RestorePlan struct {
	Namespaces []NamespaceNeed `json:"namespaces,omitempty"` // sorted by source
	Levels     []LevelPlan     `json:"levels,omitempty"`
	Objects    int             `json:"objects"`
}

// RestoreOptions bound the size of tasks. The zero value works.
type RestoreOptions struct {
	// TaskObjects is what a task is to hold (default 3,000): 2 to 4 s of work,
	// against 20 to 85 ms that an activity costs.
	TaskObjects int
	// Gap is how many members without an object of the level a range may
	// contain (default 2): reading one costs less than another request.
	// Negative for none.
	Gap int
}

func (o RestoreOptions) withDefaults() RestoreOptions {
	if o.TaskObjects <= 0 {
		o.TaskObjects = 3000
	}
	if o.Gap == 0 {
		o.Gap = 2
	}
	o.Gap = max(o.Gap, 0)
	return o
}

// cutTasks cuts members, in their order, into about equal shares.
func cutTasks(counts map[int]int, o RestoreOptions) []Task {
	members := slices.Sorted(maps.Keys(counts))
	total := 0
	for _, n := range counts {
		total += n
	}
	n := max(1, (total+o.TaskObjects/2)/o.TaskObjects)
	var out []Task
	var t Task
	done := 0
	for _, m := range members {
		t.addMember(m, counts[m], o.Gap)
		done += counts[m]
		// The k-th task ends where k shares of the objects are reached.
		if done*n >= total*(len(out)+1) {
			out, t = append(out, t), Task{}
		}
	}
	return out
}

func (t *Task) addMember(member, objects, gap int) {
	t.Objects += objects
	if last := len(t.Ranges) - 1; last >= 0 && member-t.Ranges[last].To <= gap {
		t.Ranges[last].To = member + 1
		return
	}
	t.Ranges = append(t.Ranges, Range{From: member, To: member + 1})
}
