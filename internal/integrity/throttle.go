package integrity

import (
	"context"
	"io"

	"golang.org/x/time/rate"

	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// burst is how much is read at once, in bytes.
const burst = 256 << 10

// newLimiter paces reads to so many bytes a second; nil, for none, does not.
func newLimiter(bandwidth int64) *rate.Limiter {
	if bandwidth <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bandwidth), burst)
}

// throttledSource is a source of archives whose bytes come at the pace of a limiter.
type throttledSource struct {
	repository.Source
	limiter *rate.Limiter
}

// ReadRange implements archive.Source.
func (s throttledSource) ReadRange(ctx context.Context, file string, off, n int64) (io.ReadCloser, error) {
	body, err := s.Source.ReadRange(ctx, file, off, n)
	if err != nil {
		return nil, err
	}
	return throttle(ctx, body, s.limiter), nil
}

// throttle paces the reads of body. It counts what has come, so that the limit is one of the
// network, whatever the caller's buffers.
func throttle(ctx context.Context, body io.ReadCloser, limiter *rate.Limiter) io.ReadCloser {
	if limiter == nil {
		return body
	}
	return &throttled{ctx, body, limiter}
}

type throttled struct {
	ctx     context.Context //nolint:containedctx // that of the one read which the reader serves
	body    io.ReadCloser
	limiter *rate.Limiter
}

func (t *throttled) Read(p []byte) (int, error) {
	n, err := t.body.Read(p[:min(len(p), burst)])
	if waitErr := t.limiter.WaitN(t.ctx, n); waitErr != nil {
		return n, waitErr
	}
	return n, err
}

func (t *throttled) Close() error { return t.body.Close() }

// pace waits until n bytes may have come, at most burst at a time.
func pace(ctx context.Context, limiter *rate.Limiter, n int) error {
	for limiter != nil && n > 0 {
		some := min(n, burst)
		if err := limiter.WaitN(ctx, some); err != nil {
			return err
		}
		n -= some
	}
	return nil
}
