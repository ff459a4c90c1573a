package store

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

const (
	// resumeTries bounds reconnections in a row that yield no byte. Each of
	// them is an SDK call with retries of its own.
	resumeTries = 4
	resumePause = 200 * time.Millisecond // doubled each time
)

// resumingReader reads an object's body and, when the connection breaks, goes
// on where it stopped, provided the object is still the same version.
type resumingReader struct {
	ctx   context.Context //nolint:containedctx // a reader lives within the call that opened it
	store *S3
	key   string
	etag  string
	body  io.ReadCloser
	off   int64 // of the next byte, in the object
	left  int64 // bytes still to come; negative when the store did not say
	tries int
}

func (s *S3) newResumingReader(ctx context.Context, key string, off int64, out *s3.GetObjectOutput) io.ReadCloser {
	r := &resumingReader{ctx: ctx, store: s, key: key, etag: aws.ToString(out.ETag), body: out.Body, off: off, left: -1}
	if out.ContentLength != nil {
		r.left = *out.ContentLength
	}
	return r
}

// Read implements io.Reader. Errors match this package's sentinels.
func (r *resumingReader) Read(p []byte) (int, error) {
	for {
		n, err := r.body.Read(p)
		r.off += int64(n)
		if r.left >= 0 {
			r.left -= int64(n)
		}
		if n > 0 {
			r.tries = 0
			if err != nil && !errors.Is(err, io.EOF) {
				err = nil // the next Read meets the failure again, with nothing in hand
			}
		}
		if err == nil || (errors.Is(err, io.EOF) && r.left <= 0) {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
		if err := r.reopenBody(err); err != nil {
			return 0, classifyError("read", r.key, err)
		}
	}
}

func (r *resumingReader) reopenBody(cause error) error {
	lost := awserr.IsNetwork(cause) || errors.Is(cause, io.EOF)
	if !lost || r.left < 0 || r.tries == resumeTries || r.ctx.Err() != nil {
		return errors.Join(r.ctx.Err(), cause)
	}
	if err := poll.Wait(r.ctx, resumePause<<r.tries); err != nil {
		return err
	}
	r.tries++
	out, err := r.store.getObject(r.ctx, r.key, rangeHeader(r.off, r.left), r.etag)
	if err != nil {
		if awserr.Status(err) == 412 {
			return &awserr.Error{Op: "read", Name: r.key, Kind: ErrChanged, Cause: err}
		}
		return err
	}
	_ = r.body.Close() // the broken connection has nothing more to say
	r.body = out.Body
	return nil
}

// Close implements io.Closer.
func (r *resumingReader) Close() error {
	return classifyError("read", r.key, r.body.Close())
}
