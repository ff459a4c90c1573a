package archive

import (
	"context"
	"fmt"
)

// walkBytes is how much is read at once: enough to make a request's latency
// small against its transfer, little enough to hold several in memory.
const walkBytes = 8 << 20

// Walk calls fn for every object of the members from to to-1, in order.
// Neighbouring members come in one range read of some 8 MiB, their index blocks
// in another. Members and bodies are verified before fn sees them; body is valid
// until fn returns. An error of fn ends the walk and is returned as it is.
func (a *Archive) Walk(ctx context.Context, from, to int, fn func(m int, e Entry, body []byte) error) error {
	return a.walkMembers(ctx, from, to, func(m int, entries []Entry, raw []byte) error {
		for _, e := range entries {
			body, err := a.Body(m, e, raw)
			if err != nil {
				return err
			}
			if err := fn(m, e, body); err != nil {
				return err
			}
		}
		return nil
	})
}

// WalkEntries calls fn for every member from to to-1 that holds objects, with
// its entries: the whole index in few range reads, no bodies.
func (a *Archive) WalkEntries(ctx context.Context, from, to int, fn func(m int, entries []Entry) error) error {
	return a.eachGroup(from, to, func(from, to int) error {
		entries, _, err := a.groupEntries(ctx, nil, from, to)
		if err != nil {
			return err
		}
		for i, es := range entries {
			if len(es) == 0 {
				continue
			}
			if err := fn(from+i, es); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// walkMembers hands out verified members, uncompressed, with their entries.
func (a *Archive) walkMembers(ctx context.Context, from, to int, fn func(m int, entries []Entry, raw []byte) error) error {
	var raw, buf []byte // reused from group to group
	return a.eachGroup(from, to, func(from, to int) (err error) {
		var entries [][]Entry
		if entries, buf, err = a.groupEntries(ctx, buf, from, to); err != nil {
			return err
		}
		var data [][]byte
		if data, buf, err = a.readGroup(ctx, buf, from, to, a.files[from].data, a.dataRange); err != nil {
			return err
		}
		for m := from; m < to; m++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if raw, err = a.inflateMember(m, data[m-from], raw); err != nil {
				return err
			}
			if err := fn(m, entries[m-from], raw); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachGroup cuts a run of members where the file changes, walkBytes is reached, or one is left out.
func (a *Archive) eachGroup(from, to int, fn func(from, to int) error) error {
	if err := a.inRange(from, to); err != nil {
		return fmt.Errorf("walk: %w", err)
	}
	for from < to {
		if a.leftOut[from] {
			from++
			continue
		}
		end, size := from+1, a.members[from].Size
		for end < to && !a.leftOut[end] && a.files[end] == a.files[from] && size+a.members[end].Size <= walkBytes {
			size += a.members[end].Size
			end++
		}
		if err := fn(from, end); err != nil {
			return err
		}
		from = end
	}
	return nil
}

func (a *Archive) groupEntries(ctx context.Context, buf []byte, from, to int) ([][]Entry, []byte, error) {
	blocks, buf, err := a.readGroup(ctx, buf, from, to, a.files[from].blocks, a.blockRange)
	if err != nil {
		return nil, buf, err
	}
	entries := make([][]Entry, to-from)
	for i, b := range blocks {
		if a.members[from+i].Objects == 0 {
			continue
		}
		if entries[i], err = a.parseBlock(from+i, b); err != nil {
			return nil, buf, err
		}
	}
	return entries, buf, nil
}

// readGroup reads the neighbouring ranges of some members of one file at once,
// verifies each and returns them by member. They lie in buf, or in the larger
// buffer that it returns for the next call.
func (a *Archive) readGroup(ctx context.Context, buf []byte, from, to int, file string, of func(m int) Range) ([][]byte, []byte, error) {
	parts := make([][]byte, to-from)
	first, size := int64(-1), int64(0)
	for m := from; m < to; m++ {
		r := of(m)
		if r.Size > 0 && first < 0 {
			first = r.Offset
		}
		size += r.Size
	}
	if size == 0 {
		return parts, buf, nil
	}
	b, err := a.readRange(ctx, buf, file, first, size, size)
	if err != nil {
		return nil, buf, err
	}
	buf = b
	for m := from; m < to; m++ {
		r := of(m)
		if int64(len(b)) < r.Size {
			return nil, buf, corruptError(file, m, nil, "ends %d bytes early", r.Size-int64(len(b)))
		}
		parts[m-from], b = b[:r.Size], b[r.Size:]
		if r.Size > 0 && !sameDigest(parts[m-from], r.SHA256) {
			return nil, buf, corruptError(file, m, nil, "digest differs")
		}
	}
	return parts, buf, nil
}
