package change

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// Compare reads the indexes of two archives, and no objects.
func Compare(ctx context.Context, older, newer *archive.Archive) (*Diff, error) {
	c := NewComparison()
	if err := eachEntry(ctx, older, c.AddOlder); err != nil {
		return nil, err
	}
	if err := eachEntry(ctx, newer, c.AddNewer); err != nil {
		return nil, err
	}
	return c.Finish(), nil
}

// eachEntry reads an index in several parts at once: unpacking bounds it, not the store.
func eachEntry(ctx context.Context, a *archive.Archive, add func([]archive.Entry)) error {
	n, parts := len(a.Members()), min(runtime.GOMAXPROCS(0), 4)
	g, ctx := errgroup.WithContext(ctx)
	for p := range parts {
		g.Go(func() error {
			return a.WalkEntries(ctx, n*p/parts, n*(p+1)/parts, func(_ int, entries []archive.Entry) error {
				add(entries)
				return nil
			})
		})
	}
	return g.Wait()
}

// BodiesOf reads objects of an archive for a Reader.
func BodiesOf(a *archive.Archive) func(context.Context, archive.Key) ([]byte, error) {
	return func(ctx context.Context, k archive.Key) ([]byte, error) {
		body, _, err := a.Read(ctx, k)
		if errors.Is(err, archive.ErrNotFound) {
			return nil, nil
		}
		return body, err
	}
}
