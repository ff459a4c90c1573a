// Package parallel works on many items at the same time.
package parallel

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// ForEach calls fn for all items, at most limit at a time, until one fails, and returns
// the first error. The context of fn ends at the first error.
func ForEach[T any](ctx context.Context, limit int, items []T, fn func(context.Context, T) error) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(limit)
	for _, item := range items {
		group.Go(func() error {
			if gctx.Err() != nil {
				return gctx.Err()
			}
			return fn(gctx, item)
		})
	}
	return group.Wait()
}
