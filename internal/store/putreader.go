package store

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// growEvery doubles the size of parts after so many of them, so that 10,000
// parts of an unknown total reach hundreds of GiB.
const growEvery = 2000

// PutReader writes a stream. See Store. It shares the multipart upload of
// Compose: the same headers, the same conditional completion, the same abort.
func (s *S3) PutReader(ctx context.Context, key string, r io.Reader, o PutOptions) error {
	if err := s.writable("put", key); err != nil {
		return err
	}
	first, last, err := readPart(r, bufferPart)
	if err != nil {
		return classify("put", key, err)
	}
	if last {
		return s.Put(ctx, key, first, o)
	}
	return s.withUpload(ctx, "put", key, o, func(ctx context.Context, u *upload) ([]types.CompletedPart, error) {
		return s.sendStream(ctx, u, first, r)
	})
}

func (s *S3) sendStream(ctx context.Context, u *upload, body []byte, r io.Reader) ([]types.CompletedPart, error) {
	sent := &sentParts{}
	group, sending := errgroup.WithContext(ctx)
	group.SetLimit(s.parallel)
	var readErr error
	for n, last := int32(1), false; len(body) > 0 && sending.Err() == nil; n++ {
		slot, part := sent.next(), body
		group.Go(func() (err error) {
			*slot, err = u.send(ctx, n, part) // not sending: see composePieces
			return err
		})
		if last {
			break
		}
		if body, last, readErr = u.more(r, n); readErr != nil {
			break
		}
	}
	if err := errors.Join(readErr, group.Wait()); err != nil {
		return nil, err
	}
	return sent.all(), classify(u.op, u.key, ctx.Err())
}

// more reads the part after the n-th.
func (u *upload) more(r io.Reader, n int32) (body []byte, last bool, err error) {
	if body, last, err = readPart(r, bufferPart<<(n/growEvery)); err != nil {
		return nil, false, classify(u.op, u.key, err)
	}
	if n == maxParts && len(body) > 0 {
		return nil, false, awserr.Fail(u.op, u.key, ErrInvalid, "the stream needs more than %d parts", maxParts)
	}
	return body, last, nil
}

// sentParts keeps the answers in order while they arrive in any.
type sentParts struct{ slots []*types.CompletedPart }

func (p *sentParts) next() *types.CompletedPart {
	slot := &types.CompletedPart{}
	p.slots = append(p.slots, slot)
	return slot
}

func (p *sentParts) all() []types.CompletedPart {
	all := make([]types.CompletedPart, len(p.slots))
	for i, slot := range p.slots {
		all[i] = *slot
	}
	return all
}

// readPart fills a part; last says that the stream ended with it. It does not
// use io.ReadFull, which makes a source that broke off look like one that ended.
func readPart(r io.Reader, size int) (body []byte, last bool, err error) {
	body = make([]byte, size)
	for n := 0; ; {
		if n == size {
			return body, false, nil
		}
		m, err := r.Read(body[n:])
		n += m
		if errors.Is(err, io.EOF) {
			return body[:n], true, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
}
