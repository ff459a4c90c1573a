package kube

import (
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// FilterResolver lets filters resolve names by discovery.
func FilterResolver(cat Catalog) filter.Resolver {
	return func(name string) (filter.Type, bool) {
		r, ok := cat.Find(name)
		t := FilterType(r)
		if ok && !strings.Contains(name, ".") {
			t.Also = strings.Join(cat.homonymsOf(t, name), " and ")
		}
		return t, ok
	}
}

// homonymsOf returns the types of other groups that a name without a group may stand for as
// well as for the type that was found by it. Types that no backup holds are not meant, nor
// other views of the same objects.
func (cat Catalog) homonymsOf(found filter.Type, name string) []string {
	word := strings.ToLower(strings.TrimSpace(name))
	var out []string
	for _, r := range cat.Resources {
		t := FilterType(r)
		same := t.CohabitingObjects() != "" && t.CohabitingObjects() == found.CohabitingObjects()
		if t.Group != found.Group && r.nameScore(word) > 0 && r.Can("list", "create", "get", "delete") && !same {
			out = append(out, t.GroupResource)
		}
	}
	return out
}

// FilterType is a discovered type as filters see it.
func FilterType(r Resource) filter.Type {
	return filter.Type{
		GroupResource: r.GroupResource(), Group: r.Group, Version: r.Version,
		Kind: r.Kind, Namespaced: r.Namespaced,
	}
}
