package archive

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Lookup finds an object; of several with its key the last, as unpacking the
// tarball would. An empty k.Version matches any. It reads only the index blocks
// whose spans admit the key. The error wraps ErrNotFound if there is none.
func (a *Archive) Lookup(ctx context.Context, k Key) (int, Entry, error) {
	for m := len(a.members) - 1; m >= 0; m-- {
		if !mayHold(a.members[m].Spans, k) {
			continue
		}
		entries, err := a.Entries(ctx, m)
		if err != nil {
			return 0, Entry{}, fmt.Errorf("look up %s: %w", k, err)
		}
		for i := len(entries) - 1; i >= 0; i-- {
			if e := entries[i]; matchesKey(e.Key, k) {
				return m, e, nil
			}
		}
	}
	return 0, Entry{}, fmt.Errorf("look up %s: %w", k, ErrNotFound)
}

// Read is Lookup and the object's body: mostly two range reads.
func (a *Archive) Read(ctx context.Context, k Key) ([]byte, Entry, error) {
	m, e, err := a.Lookup(ctx, k)
	if err != nil {
		return nil, Entry{}, err
	}
	raw, err := a.ReadMember(ctx, m)
	if err != nil {
		return nil, Entry{}, fmt.Errorf("read %s: %w", k, err)
	}
	body, err := a.Body(m, e, raw)
	return body, e, err
}

// With returns the members that may hold objects of a resource, ascending.
func (a *Archive) With(resource string) []int {
	var out []int
	for i, m := range a.members {
		for _, s := range m.Spans {
			if s.Resource == resource {
				out = append(out, i)
				break
			}
		}
	}
	return out
}

// Resources lists the resources in the archive, sorted.
func (a *Archive) Resources() []string {
	seen := map[string]bool{}
	for _, m := range a.members {
		for _, s := range m.Spans {
			seen[s.Resource] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func matchesKey(have, want Key) bool {
	if want.Version == "" {
		want.Version = have.Version
	}
	return have == want
}
