package kube

import "github.com/lifeboat-backup/lifeboat/internal/filter"

// FilterResolver lets filters resolve names by discovery.
func FilterResolver(cat Catalog) filter.Resolver {
	return func(name string) (filter.Type, bool) {
		r, ok := cat.Find(name)
		return FilterType(r), ok
	}
}

// FilterType is a discovered type as filters see it.
func FilterType(r Resource) filter.Type {
	return filter.Type{
		GroupResource: r.GroupResource(), Group: r.Group, Version: r.Version,
		Kind: r.Kind, Namespaced: r.Namespaced,
	}
}
