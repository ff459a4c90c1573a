package archive

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// FindDamaged reads every member and returns those that cannot be read as they were
// written, each with its *CorruptError. progress gets the number of bytes read since its last call.
func (a *Archive) FindDamaged(ctx context.Context, progress func(bytes int64)) (map[int]error, error) {
	damaged := map[int]error{}
	check := func(from, to int) error {
		return a.Walk(ctx, from, to, func(int, Entry, []byte) error { return ctx.Err() })
	}
	err := a.eachGroup(0, len(a.members), func(from, to int) error {
		whole := check(from, to)
		if whole != nil && !IsDamaged(whole) {
			return whole
		}
		for m := from; m < to; m++ {
			progress(a.members[m].Size + a.members[m].Index.Size)
			if whole == nil {
				continue
			}
			if err := check(m, m+1); IsDamaged(err) {
				damaged[m] = err
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find damaged members: %w", err)
	}
	return damaged, nil
}

// LeaveOut has everything else pass over these members, as if their objects were not in the
// archive. It is called before the archive is shared.
func (a *Archive) LeaveOut(members []int) {
	a.leftOut = make(map[int]bool, len(members))
	for _, m := range members {
		a.leftOut[m] = true
	}
}

// LeftOut calls fn for every member that is left out, with its entries, or with none and an
// ErrCorrupt where its index block is damaged, too.
func (a *Archive) LeftOut(ctx context.Context, fn func(m int, entries []Entry, damage error) error) error {
	for _, m := range slices.Sorted(maps.Keys(a.leftOut)) {
		entries, err := a.readEntries(ctx, m)
		if err != nil && !IsDamaged(err) {
			return err
		}
		if err := fn(m, entries, err); err != nil {
			return err
		}
	}
	return nil
}
