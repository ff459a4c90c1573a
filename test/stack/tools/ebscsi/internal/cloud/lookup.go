package cloud

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// gather is how long a look-up waits for others to share its call: hundreds of
	// volumes are looked at at a time, and EC2 grants an account 20 calls a second.
	gather = 30 * time.Millisecond
	// gatherListed is the real driver's.
	gatherListed = 500 * time.Millisecond
	// maxValues is how many values EC2 takes in a filter.
	maxValues = 200
	// fetchLimit bounds a shared call, which no single caller can cancel.
	fetchLimit = time.Minute
)

// lookup finds things by key, many in one call.
type lookup[T any] struct {
	fetch func(ctx context.Context, keys []string) (map[string]T, error)
	// gather is how long a round waits for others, 0 is the usual time.
	gather time.Duration
	mu     sync.Mutex
	next   *round[T]
}

// round is one call and those who wait for it.
type round[T any] struct {
	keys  map[string]bool
	done  chan struct{}
	found map[string]T
	err   error
}

// get gives what a key leads to, or ErrNotFound.
func (l *lookup[T]) get(ctx context.Context, key string) (T, error) {
	var none T
	r := l.join(key)
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case <-r.done:
	}
	if r.err != nil {
		return none, r.err
	}
	value, ok := r.found[key]
	if !ok {
		return none, fmt.Errorf("%s: %w", key, ErrNotFound)
	}
	return value, nil
}

func (l *lookup[T]) join(key string) *round[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil || len(l.next.keys) >= maxValues {
		r := &round[T]{keys: map[string]bool{}, done: make(chan struct{})}
		l.next = r
		time.AfterFunc(cmp.Or(l.gather, gather), func() { l.run(r) })
	}
	l.next.keys[key] = true
	return l.next
}

func (l *lookup[T]) run(r *round[T]) {
	l.mu.Lock()
	if l.next == r {
		l.next = nil
	}
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), fetchLimit)
	defer cancel()
	r.found, r.err = l.fetch(ctx, slices.Collect(maps.Keys(r.keys)))
	close(r.done)
}
