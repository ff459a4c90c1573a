package selection

import (
	"context"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// spelled gives the keys of a type's objects that names spell out, each "namespace/name"
// or "name": objects of that name in any namespace or in none, as in a restore that
// names no types.
func (x *selection) spelled(ctx context.Context, groupResource string, names []string) ([]archive.Key, error) {
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
	members := x.s.Arc.With(groupResource)
	for len(members) > 0 {
		n := neighbours(members)
		err := x.s.Arc.WalkEntries(ctx, members[0], members[n-1]+1, func(_ int, entries []archive.Entry) error {
			for _, e := range entries {
				if e.Resource == groupResource && bare[e.Name] {
					// An index block's strings share its memory.
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

// neighbours is how many of ascending members follow each other without a gap: their
// index blocks are read at once.
func neighbours(members []int) int {
	n := 1
	for n < len(members) && members[n] == members[n-1]+1 {
		n++
	}
	return n
}

// withNamespaces adds to keys the Namespaces of their objects; each key comes once.
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
