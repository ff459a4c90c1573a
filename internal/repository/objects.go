package repository

import (
	"context"
	"encoding/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// EachObject decodes every object of one resource. One that does not decode is left
// out: when it is applied the API server says what is wrong with it.
func EachObject[T any](ctx context.Context, arc *archive.Archive, gr string, fn func(T)) error {
	return WalkResource(ctx, arc, gr, func(_ archive.Entry, body []byte) error {
		var o T
		if json.Unmarshal(body, &o) == nil {
			fn(o)
		}
		return nil
	})
}

// WalkResource calls fn for every object of one resource.
func WalkResource(ctx context.Context, arc *archive.Archive, gr string, fn func(archive.Entry, []byte) error) error {
	for _, m := range arc.With(gr) {
		err := arc.Walk(ctx, m, m+1, func(_ int, e archive.Entry, body []byte) error {
			if e.Resource != gr {
				return nil
			}
			return fn(e, body)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
