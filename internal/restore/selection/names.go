package selection

import (
	"context"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// keysByName returns the keys of a type's objects that have one of these names, each
// "namespace/name" or "name". A name without a namespace stands for the objects of that name
// in any namespace or in none, as in a restore that names no types.
func (x *selection) keysByName(ctx context.Context, groupResource string, names []string) ([]archive.Key, error) {
	var keys []archive.Key
	bare := map[string]bool{}
	for _, name := range names {
		if ns, n := resource.SplitName(name); ns != "" {
			keys = append(keys, archive.Key{Resource: groupResource, Namespace: ns, Name: n})
		} else {
			bare[name] = true
		}
	}
	if len(bare) == 0 {
		return keys, nil
	}
	found, err := x.keysInAnyNamespace(ctx, groupResource, bare)
	return append(keys, found...), err
}

// keysInAnyNamespace returns the keys of a type's objects that have one of these names. It
// reads the type's index blocks and no objects.
func (x *selection) keysInAnyNamespace(ctx context.Context, groupResource string, names map[string]bool) ([]archive.Key, error) {
	var keys []archive.Key
	for members := x.s.Arc.With(groupResource); len(members) > 0; {
		n := countContiguous(members)
		err := x.s.Arc.WalkEntries(ctx, members[0], members[n-1]+1, func(_ int, entries []archive.Entry) error {
			for _, e := range entries {
				if e.Resource == groupResource && names[e.Name] {
					// An entry's strings share the memory of its index block, which is not to stay.
					keys = append(keys, archive.Key{Resource: groupResource, Namespace: strings.Clone(e.Namespace), Name: strings.Clone(e.Name)})
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		members = members[n:]
	}
	return keys, nil
}

// countContiguous says how many members at the start of an ascending list follow each other
// without a gap. Such members are read by one request.
func countContiguous(members []int) int {
	n := 1
	for n < len(members) && members[n] == members[n-1]+1 {
		n++
	}
	return n
}

// withNamespaces adds the Namespace of each object to keys, and drops keys that come twice.
func withNamespaces(keys []archive.Key) []archive.Key {
	var out []archive.Key
	seen := map[archive.Key]bool{}
	add := func(k archive.Key) {
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	for _, k := range keys {
		add(k)
		if k.Namespace != "" {
			add(archive.Key{Resource: "namespaces", Name: k.Namespace})
		}
	}
	return out
}
