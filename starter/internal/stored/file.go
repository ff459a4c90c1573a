package stored

import (
	"context"
	"fmt"
	"io"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
)

// OpenFile starts to read a file of a backup or restore, unpacked. in says which.
func OpenFile(ctx context.Context, read Read, in contract.ReadInput, trust fetch.Options) (io.ReadCloser, error) {
	body, _, err := OpenStored(ctx, read, in, trust)
	if err != nil {
		return nil, err
	}
	plain, err := fetch.Plain(body)
	if err != nil {
		_ = body.Close() // the error that matters is err
		return nil, fmt.Errorf("%s of %q: %w", in.File, in.Name, err)
	}
	return readCloser{plain, body}, nil
}

// OpenStored starts to read a file as it is stored; size is -1 where unknown.
func OpenStored(ctx context.Context, read Read, in contract.ReadInput, trust fetch.Options) (io.ReadCloser, int64, error) {
	client, err := fetch.New(trust)
	if err != nil {
		return nil, 0, err
	}
	res, err := read(ctx, in)
	if err != nil {
		return nil, 0, err
	}
	body, size, err := client.Open(ctx, res.URL)
	if err != nil {
		return nil, 0, fmt.Errorf("%s of %q: %w", in.File, in.Name, err)
	}
	return body, size, nil
}

// readCloser reads from one and closes the other.
type readCloser struct {
	io.Reader
	io.Closer
}
