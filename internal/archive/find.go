package archive

import (
	"context"
	"fmt"
	"slices"
)

// Find is Lookup of many objects at once, by keys without a version: it gives the
// member of each that is there. No index block is read twice, and only those whose
// spans admit one of the keys.
func (a *Archive) Find(ctx context.Context, keys []Key) (map[Key]int, error) {
	wanted, objects := make(map[Key]bool, len(keys)), sortedObjects(keys)
	for _, k := range keys {
		wanted[k] = true
	}
	found := make(map[Key]int, len(keys))
	for m := len(a.members) - 1; m >= 0; m-- {
		if !anyWithin(a.members[m].Spans, objects) {
			continue
		}
		entries, err := a.Entries(ctx, m)
		if err != nil {
			return nil, fmt.Errorf("look up %d objects: %w", len(keys), err)
		}
		for _, e := range entries {
			k := e.Key
			k.Version = ""
			if _, there := found[k]; !there && wanted[k] { // of several the last, as in Lookup
				found[k] = m
			}
		}
	}
	return found, nil
}

// sortedObjects are the keys by resource, as spans compare them.
func sortedObjects(keys []Key) map[string][]string {
	out := map[string][]string{}
	for _, k := range keys {
		out[k.Resource] = append(out[k.Resource], k.Object())
	}
	for _, objects := range out {
		slices.Sort(objects)
	}
	return out
}

// anyWithin says that a span admits one of the objects.
func anyWithin(spans []Span, sorted map[string][]string) bool {
	for _, s := range spans {
		objects := sorted[s.Resource]
		if i, _ := slices.BinarySearch(objects, s.First); i < len(objects) && objects[i] <= s.Last {
			return true
		}
	}
	return false
}
