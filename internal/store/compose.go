package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// composeTries bounds how often an upload is begun anew because a concurrent
// conditional write collided with its completion, as S3 demands after a 409.
const composeTries = 3

// Compose writes dst as the concatenation of parts. See Store. Stored parts
// that are large enough are copied inside the store; the others, and all of
// them where the store cannot copy parts, are read and sent, a few at a time. A store that
// refuses parts of unequal length gets equal ones, most of which are sent, too.
func (s *S3) Compose(ctx context.Context, dst string, parts []Part, o PutOptions) error {
	if err := s.checkWritable("compose", dst); err != nil {
		return err
	}
	if err := s.checkParts(dst, parts); err != nil {
		return err
	}
	for try := 1; ; try++ {
		pieces := s.cutPieces(parts)
		err := s.composePieces(ctx, dst, pieces, o)
		switch {
		case awserr.Code(err) == "InvalidPart" && !haveEqualLengths(pieces):
			if !s.equalParts.Swap(true) {
				s.log.WarnContext(ctx, "the object store wants parts of equal length: composing reads and writes them", "bucket", s.bucket)
			}
		case errors.Is(err, errNoPartCopy):
			if !s.noPartCopy.Swap(true) {
				s.log.WarnContext(ctx, "the object store does not copy parts: composing reads and writes them", "bucket", s.bucket)
			}
		case !errors.Is(err, ErrConflict) || try >= composeTries:
			return err
		}
	}
}

func (s *S3) cutPieces(parts []Part) []piece {
	if s.equalParts.Load() {
		return planEqualPieces(parts, !s.noPartCopy.Load())
	}
	return planPieces(parts, !s.noPartCopy.Load())
}

// errNoPartCopy: the store refused a server-side copy as unknown to it.
var errNoPartCopy = errors.New("no part copy")

func (s *S3) checkParts(dst string, parts []Part) error {
	for i, p := range parts {
		switch {
		case p.Key != "" && p.Inline != nil:
			return awserr.Fail("compose", dst, ErrInvalid, "part %d is both inline and stored", i)
		case p.Key != "" && CheckKey(p.Key) != nil:
			return awserr.Fail("compose", dst, ErrInvalid, "part %d: %w", i, CheckKey(p.Key))
		case p.Offset < 0 || p.Size < 0:
			return awserr.Fail("compose", dst, ErrInvalid, "part %d: negative offset or size", i)
		}
	}
	return nil
}

func (s *S3) composePieces(ctx context.Context, dst string, pieces []piece, o PutOptions) error {
	if len(pieces) > maxParts {
		return awserr.Fail("compose", dst, ErrInvalid, "%d parts needed, S3 allows %d", len(pieces), maxParts)
	}
	if len(pieces) == 0 {
		return s.Put(ctx, dst, nil, o)
	}
	if len(pieces) == 1 && pieces[0].copied.Key == "" {
		body, err := s.readPiece(ctx, pieces[0])
		if err != nil {
			return err
		}
		return s.Put(ctx, dst, body, o)
	}
	return s.withUpload(ctx, "compose", dst, o, func(ctx context.Context, u *upload) ([]types.CompletedPart, error) {
		done := make([]types.CompletedPart, len(pieces))
		group, going := errgroup.WithContext(ctx)
		group.SetLimit(s.parallel)
		for i, p := range pieces {
			group.Go(func() (err error) {
				// A failure keeps further parts from starting but does not cut off
				// those in flight: they could land after the abort.
				if going.Err() != nil {
					return going.Err()
				}
				done[i], err = s.sendPiece(ctx, u, int32(i+1), p)
				return err
			})
		}
		return done, group.Wait()
	})
}

func (s *S3) sendPiece(ctx context.Context, u *upload, n int32, p piece) (types.CompletedPart, error) {
	if p.copied.Key == "" {
		body, err := s.readPiece(ctx, p)
		if err != nil {
			return types.CompletedPart{}, err
		}
		return u.sendPart(ctx, n, body)
	}
	part, err := u.copyPart(ctx, n, p.copied)
	if errors.Is(err, ErrUnsupported) {
		err = fmt.Errorf("%w: %w", errNoPartCopy, err)
	}
	return part, err
}

// readPiece reads a piece into memory.
func (s *S3) readPiece(ctx context.Context, p piece) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(int(p.size))
	for _, part := range p.gather {
		if part.Key == "" {
			buf.Write(part.Inline)
			continue
		}
		if err := s.appendRange(ctx, &buf, part); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), nil
}

func (s *S3) appendRange(ctx context.Context, buf *bytes.Buffer, p Part) error {
	r, err := s.GetRange(ctx, p.Key, p.Offset, p.Size)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	n, err := io.Copy(buf, r)
	if err == nil && n != p.Size {
		err = awserr.Fail("get range", p.Key, ErrInvalid, "%d of %d bytes from offset %d", n, p.Size, p.Offset)
	}
	return err
}
