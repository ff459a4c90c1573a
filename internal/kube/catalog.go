package kube

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Catalog is what one API server serves.
type Catalog struct {
	// Resources has every type once, in the version that the server prefers, in
	// the server's order of groups (the core group first).
	Resources []Resource
	// Failures are the group versions that did not answer.
	Failures      []GroupFailure
	ServerVersion ServerVersion

	// A restore asks for the type of each object, and a cluster may serve thousands of types.
	places map[string]int           // group resource → index in Resources
	kinds  map[schema.GroupKind]int // → index in Resources

	versions map[string][]string // group resource → versions, preferred first
	status   map[string]bool     // "group resource/version" of types with a status sub-resource
}

// GroupFailure is a group version that is registered and does not answer.
type GroupFailure struct{ Group, Version, Reason string }

// ServerVersion is the API server's release.
type ServerVersion struct{ GitVersion, Major, Minor string }

// Versions lists the versions in which a type is served, preferred first.
func (cat Catalog) Versions(groupResource string) []string { return cat.versions[groupResource] }

// HasStatus says that a type, in one of its versions, has a status of its own: a
// sub-resource that is written apart from the object.
func (cat Catalog) HasStatus(groupResource, version string) bool {
	return cat.status[groupResource+"/"+version]
}

// Lacks tells that a type is certainly not served, in no version: its group
// answered, or is no longer registered.
func (cat Catalog) Lacks(groupResource, group string) bool {
	return len(cat.versions[groupResource]) == 0 &&
		!slices.ContainsFunc(cat.Failures, func(f GroupFailure) bool { return f.Group == group })
}

// InVersion is a type in another of its served versions. Kind, scope and verbs
// are those of the preferred version: a type does not change them.
func (cat Catalog) InVersion(groupResource, version string) (Resource, bool) {
	if !slices.Contains(cat.versions[groupResource], version) {
		return Resource{}, false
	}
	r := cat.Resources[cat.places[groupResource]]
	r.Version = version
	return r, true
}

// OfKind is a type by what an owner reference says of it.
func (cat Catalog) OfKind(apiVersion, kind string) (Resource, bool) {
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group, version = "", apiVersion
	}
	i, ok := cat.kinds[schema.GroupKind{Group: group, Kind: kind}]
	if !ok {
		return Resource{}, false
	}
	return cat.InVersion(cat.Resources[i].GroupResource(), version)
}

// Find resolves a name as users write it in include and exclude lists: plural,
// singular, short name or kind in any case, alone or followed by a group, which
// may be cut short ("ingresses.networking"). Plurals win over the other names,
// exact groups over cut ones, and among equals the server's order decides, so
// that "events" is the core type.
func (cat Catalog) Find(name string) (Resource, bool) {
	word, group, hasGroup := strings.Cut(strings.ToLower(strings.TrimSpace(name)), ".")
	best, found := Resource{}, 0
	for _, r := range cat.Resources {
		score := r.nameScore(word)
		if score == 0 {
			continue
		}
		switch {
		case !hasGroup, r.Group == group:
			score += 10
		case !strings.HasPrefix(r.Group, group):
			continue
		}
		if score > found {
			best, found = r, score
		}
	}
	return best, found > 0
}

// nameScore grades how well the lower-case word names the type; 0 is not at all.
func (r Resource) nameScore(word string) int {
	switch {
	case word == "":
		return 0
	case word == r.Name:
		return 4
	case word == r.Singular:
		return 3
	case slices.Contains(r.ShortNames, word):
		return 2
	case word == strings.ToLower(r.Kind):
		return 1
	}
	return 0
}
