package activities

import (
	"context"
	"io"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// source reads archives out of a store.
type source struct{ st store.Store }

// ReadRange implements archive.Source.
func (s source) ReadRange(ctx context.Context, file string, off, n int64) (io.ReadCloser, error) {
	return s.st.GetRange(ctx, file, off, n)
}
