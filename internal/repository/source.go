package repository

import (
	"context"
	"errors"
	"io"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Source reads archives out of a store.
type Source struct{ store store.Store }

// NewSource is st as the source of archives.
func NewSource(st store.Store) Source { return Source{st} }

// ReadRange implements archive.Source. A file of an archive that is not there is
// damage, which no retry mends.
func (s Source) ReadRange(ctx context.Context, file string, off, n int64) (io.ReadCloser, error) {
	body, err := s.store.GetRange(ctx, file, off, n)
	if errors.Is(err, store.ErrNotFound) {
		err = &archive.CorruptError{File: file, Member: archive.NoMember, What: "the file is missing", Err: err}
	}
	return body, err
}
