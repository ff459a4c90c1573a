package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

const (
	conflictRetries = 6
	conflictPause   = 50 * time.Millisecond // doubled each time
)

// Put writes body under key. See Store. When an answer got lost and the retry
// finds the key taken by exactly these bytes, the write counts as won.
func (s *S3) Put(ctx context.Context, key string, body []byte, o PutOptions) error {
	if err := s.checkWritable("put", key); err != nil {
		return err
	}
	native, err := s.prepareCondition(ctx, "put", key, o)
	if err != nil {
		return err
	}
	if !native {
		o.IfAbsent, o.IfMatch = false, ""
	}
	return s.putRetry(ctx, key, body, o)
}

// prepareCondition prepares a write. For a condition it reports whether the store itself
// refuses what does not meet it; where it cannot, the object is looked at here.
func (s *S3) prepareCondition(ctx context.Context, op, key string, o PutOptions) (native bool, err error) {
	if !o.IfAbsent && o.IfMatch == "" {
		return false, nil
	}
	native, err = s.Conditional(ctx)
	switch {
	case err != nil || native:
		return native, err
	case o.IfAbsent:
		return false, s.checkAbsent(ctx, op, key)
	}
	return false, s.checkMatch(ctx, op, key, o.IfMatch)
}

// checkMatch fails with ErrChanged unless the object has this ETag.
func (s *S3) checkMatch(ctx context.Context, op, key, etag string) error {
	info, err := s.Head(ctx, key)
	if errors.Is(err, ErrNotFound) || err == nil && info.ETag != etag {
		return awserr.Fail(op, key, ErrChanged, "it has not the ETag %s", etag)
	}
	return err
}

func (s *S3) checkAbsent(ctx context.Context, op, key string) error {
	switch _, err := s.Head(ctx, key); {
	case err == nil:
		return &awserr.Error{Op: op, Name: key, Kind: ErrExists}
	case errors.Is(err, ErrNotFound):
		return nil
	default:
		return err
	}
}

// putRetry repeats a conditional write that collided with another one in
// flight: S3 answers 409 until one of them is decided.
func (s *S3) putRetry(ctx context.Context, key string, body []byte, o PutOptions) error {
	pause := conflictPause
	for try := 0; ; try++ {
		sent, err := s.putOnce(ctx, key, body, o)
		if o.IfMatch != "" && (errors.Is(err, ErrExists) || errors.Is(err, ErrNotFound)) {
			err = awserr.Fail("put", key, ErrChanged, "%w", err)
		}
		switch {
		case (errors.Is(err, ErrExists) || errors.Is(err, ErrChanged)) && sent > 1:
			return s.settleLostReply(ctx, key, body, err)
		case !errors.Is(err, ErrConflict) || try == conflictRetries:
			return err
		}
		if err := poll.Wait(ctx, pause); err != nil {
			return classifyError("put", key, err)
		}
		pause *= 2
	}
}

// settleLostReply decides a write whose first answer was lost.
func (s *S3) settleLostReply(ctx context.Context, key string, body []byte, taken error) error {
	info, err := s.Head(ctx, key)
	if err != nil || info.Size != int64(len(body)) {
		return errors.Join(taken, err)
	}
	r, _, err := s.Get(ctx, key)
	if err != nil {
		return errors.Join(taken, err)
	}
	stored, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return errors.Join(taken, err)
	}
	if bytes.Equal(stored, body) {
		return nil
	}
	return taken
}

// putOnce makes one PutObject call and says how many requests it sent.
func (s *S3) putOnce(ctx context.Context, key string, body []byte, o PutOptions) (sent int, err error) {
	in := &s3.PutObjectInput{
		Bucket: s.bucketName(), Key: s.keyName(key), Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ChecksumAlgorithm: s.checksum, ServerSideEncryption: s.sse, SSEKMSKeyId: optionalText(s.kmsKeyID), Tagging: optionalText(s.tagging),
		ContentType: optionalText(o.ContentType), IfMatch: optionalText(o.IfMatch),
	}
	if o.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customer.headerFields()
	_, err = s.client.PutObject(ctx, in, countAttempts(&sent))
	return sent, classifyError("put", key, err)
}

// headerFields are the three fields every request under a customer's key carries;
// a nil key has none.
func (k *customerKey) headerFields() (algorithm, key, md5 *string) {
	if k == nil {
		return nil, nil, nil
	}
	return aws.String(customerAlgorithm), aws.String(k.key), aws.String(k.md5)
}

func optionalText(text string) *string {
	if text == "" {
		return nil
	}
	return aws.String(text)
}

// countAttempts counts the requests of one call, the SDK's retries included.
func countAttempts(n *int) func(*s3.Options) {
	count := middleware.FinalizeMiddlewareFunc("lifeboatAttempts",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			*n++
			return next.HandleFinalize(ctx, in)
		})
	return s3.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(count, "Retry", middleware.After)
	})
}
