package cloud

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// TestLookupsShareCalls: many at a time cost few calls, and each gets its own answer.
func TestLookupsShareCalls(t *testing.T) {
	var calls atomic.Int32
	l := &lookup[int]{fetch: func(_ context.Context, keys []string) (map[string]int, error) {
		calls.Add(1)
		if len(keys) > maxValues {
			t.Errorf("%d keys in one call", len(keys))
		}
		found := map[string]int{}
		for _, key := range keys {
			if n, err := strconv.Atoi(key); err == nil {
				found[key] = n
			}
		}
		return found, nil
	}}
	var all sync.WaitGroup
	for i := range 500 {
		all.Go(func() {
			if got, err := l.get(t.Context(), strconv.Itoa(i)); err != nil || got != i {
				t.Errorf("got %d, %v; want %d", got, err, i)
			}
		})
	}
	all.Go(func() {
		if _, err := l.get(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v, want %v", err, ErrNotFound)
		}
	})
	all.Wait()
	if n := calls.Load(); n > 10 {
		t.Errorf("%d calls for 501 look-ups", n)
	}
}

func TestLookupTellsFailureAndCancel(t *testing.T) {
	broken, release := errors.New("broken"), make(chan struct{})
	l := &lookup[int]{fetch: func(context.Context, []string) (map[string]int, error) {
		<-release
		return nil, broken
	}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	close(release)
	if _, err := l.get(t.Context(), "a"); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}
