package store

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// maxPresign is the longest life S3 gives a signed URL.
const maxPresign = 7 * 24 * time.Hour

// Presign returns a URL that reads key until ttl has passed, or until the
// credentials it was signed with expire (those of a role live for an hour or
// so). The host is publicUrl where the location has one. Objects under a
// customer's key cannot be read by a signed URL: ErrUnsupported.
func (s *S3) Presign(ctx context.Context, key string, ttl time.Duration) (string, error) {
	if err := s.checkReadable("presign", key); err != nil {
		return "", err
	}
	if s.customer != nil {
		return "", awserr.Fail("presign", key, ErrUnsupported, "the location encrypts with a customer key (SSE-C), which a signed URL cannot carry")
	}
	if ttl <= 0 || ttl > maxPresign {
		return "", awserr.Fail("presign", key, ErrInvalid, "a URL may live for up to %s, not %s", maxPresign, ttl)
	}
	in := &s3.GetObjectInput{Bucket: s.bucketName(), Key: s.keyName(key)}
	req, err := s.public.PresignGetObject(ctx, in, s3.WithPresignExpires(ttl))
	if err != nil {
		return "", classifyError("presign", key, err)
	}
	return req.URL, nil
}

// maxFetch bounds what FetchURL reads, in bytes.
const maxFetch = 1 << 20

// FetchURL reads at most 1 MiB from a URL made by Presign, over this
// location's transport but without its credentials.
func (s *S3) FetchURL(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("fetch signed URL: %w", err)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, classifyError("fetch signed URL", "", stripURL(err))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, awserr.Fail("fetch signed URL", "", kindOfStatus(resp.StatusCode), "status %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFetch))
	return body, classifyError("fetch signed URL", "", err)
}
