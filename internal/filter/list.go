package filter

import (
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/glob"
)

// list is one include or exclude list, sorted into exact names and globs ("*"
// is a glob). An include list that had entries stays Given even when none of
// them can match, so that "matches nothing" never reads as "no filter".
type list struct {
	Given bool     `json:"given,omitempty"`
	Names []string `json:"names,omitempty"` // sorted, unique
	Globs []string `json:"globs,omitempty"`
}

// newList takes entries in the form in which they are matched.
func newList(entries []string) list {
	l := list{Given: len(entries) > 0}
	for _, e := range entries {
		if glob.IsFilter(e) {
			l.Globs = append(l.Globs, e)
		} else {
			l.Names = append(l.Names, e)
		}
	}
	return l.withSortedNames()
}

// withSortedNames puts the list into the form that hasEntryFor relies on.
func (l list) withSortedNames() list {
	slices.Sort(l.Names)
	l.Names = slices.Compact(l.Names)
	return l
}

// hasEntryFor reports whether an entry matches s. It is called for every object of a
// cluster-wide list, hence the binary search.
func (l list) hasEntryFor(s string) bool {
	if _, found := slices.BinarySearch(l.Names, s); found {
		return true
	}
	for _, g := range l.Globs {
		if g == everything || glob.MatchFilter(g, s) {
			return true
		}
	}
	return false
}

// includesAll reports whether the list, as an include list, lets everything in.
func (l list) includesAll() bool { return !l.Given || slices.Contains(l.Globs, everything) }

// rule is an include list and an exclude list; excludes win.
type rule struct {
	Include list `json:"include"`
	Exclude list `json:"exclude"`
}

func (r rule) selects(s string) bool {
	return !r.Exclude.hasEntryFor(s) && (r.Include.includesAll() || r.Include.hasEntryFor(s))
}

// filtersNothing reports whether the rule filters nothing out.
func (r rule) filtersNothing() bool { return r.Include.includesAll() && !r.Exclude.Given }
