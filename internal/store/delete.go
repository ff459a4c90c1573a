package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

const (
	deleteBatch    = 1000 // S3's limit on keys per request
	deleteParallel = 8
)

// Delete removes objects. See Store.
func (s *S3) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := s.checkWritable("delete", key); err != nil {
			return err
		}
	}
	_, err := s.deleteAll(ctx, keys)
	return err
}

// DeletePrefix removes every object below prefix. See Store.
func (s *S3) DeletePrefix(ctx context.Context, prefix string) (int, error) {
	if err := s.checkWritable("delete below", prefix); err != nil {
		return 0, err // also refuses "", which would empty the location
	}
	var batch []string
	var errs []error
	gone := 0
	flush := func() {
		n, err := s.deleteAll(ctx, batch)
		gone, errs, batch = gone+n, append(errs, err), batch[:0]
	}
	err := s.List(ctx, prefix, func(i Info) error {
		if batch = append(batch, i.Key); len(batch) == deleteBatch {
			flush()
		}
		return ctx.Err()
	})
	flush()
	return gone, errors.Join(append(errs, err)...)
}

// deleteAll removes keys and says how many are gone. Every key is tried.
func (s *S3) deleteAll(ctx context.Context, keys []string) (gone int, err error) {
	var errs []error
	for batch := range slices.Chunk(keys, deleteBatch) {
		n, err := s.deleteSome(ctx, batch)
		gone, errs = gone+n, append(errs, err)
	}
	return gone, errors.Join(errs...)
}

func (s *S3) deleteSome(ctx context.Context, keys []string) (int, error) {
	if len(keys) == 1 {
		return s.deleteEach(ctx, keys)
	}
	n, err := s.deleteBatch(ctx, keys)
	if errors.Is(err, errNoBatch) {
		return s.deleteEach(ctx, keys)
	}
	return n, err
}

// errNoBatch: the store does not take many keys in one request.
var errNoBatch = errors.New("no batch deletion")

func (s *S3) deleteBatch(ctx context.Context, keys []string) (int, error) {
	ids := make([]types.ObjectIdentifier, len(keys))
	for i, key := range keys {
		ids[i].Key = s.keyName(key)
	}
	in := &s3.DeleteObjectsInput{
		Bucket: s.bucketName(), Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)}, ChecksumAlgorithm: s.checksum,
	}
	out, err := s.client.DeleteObjects(ctx, in, s.withoutChecksum)
	switch kind := kindOf(err); {
	case errors.Is(kind, ErrUnsupported), errors.Is(kind, ErrInvalid):
		return 0, errNoBatch
	case err != nil:
		return 0, classifyError("delete", keys[0], err)
	}
	return len(keys) - len(out.Errors), s.deleteErrors(ctx, out.Errors)
}

// withoutChecksum swaps the SDK's checksum for the Content-MD5 that S3 asked
// for before there were checksums, for stores that know no other.
func (s *S3) withoutChecksum(o *s3.Options) {
	if s.checksum != "" {
		return
	}
	s3.WithAPIOptions(func(stack *middleware.Stack) error {
		if _, err := stack.Initialize.Remove("AWSChecksum:SetupInputContext"); err != nil {
			return fmt.Errorf("remove checksum: %w", err)
		}
		if _, err := stack.Finalize.Remove("AWSChecksum:ComputeInputPayloadChecksum"); err != nil {
			return fmt.Errorf("remove checksum: %w", err)
		}
		return smithyhttp.AddContentChecksumMiddleware(stack)
	})(o)
}

// deleteErrors turns a batch's refusals into errors; a key that was not there
// is no refusal.
func (s *S3) deleteErrors(ctx context.Context, failed []types.Error) error {
	var errs []error
	for _, f := range failed {
		kind := kindOfCode(aws.ToString(f.Code))
		if errors.Is(kind, ErrNotFound) {
			continue
		}
		key := s.relativeKey(aws.ToString(f.Key))
		err := &awserr.Error{
			Op: "delete", Name: key, Kind: kind, Code: aws.ToString(f.Code),
			Cause: fmt.Errorf("%s: %s", aws.ToString(f.Code), aws.ToString(f.Message)),
		}
		errs = append(errs, s.explainDenied(ctx, err))
	}
	return errors.Join(errs...)
}

func (s *S3) deleteEach(ctx context.Context, keys []string) (int, error) {
	errs := make([]error, len(keys))
	var group errgroup.Group
	group.SetLimit(deleteParallel)
	for i, key := range keys {
		group.Go(func() error {
			errs[i] = s.deleteOne(ctx, key, "")
			return nil // every key is tried
		})
	}
	_ = group.Wait()
	gone := 0
	for _, err := range errs {
		if err == nil {
			gone++
		}
	}
	return gone, errors.Join(errs...)
}

// deleteOne deletes an object, where an ETag is given only one that has it.
func (s *S3) deleteOne(ctx context.Context, key, etag string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: s.bucketName(), Key: s.keyName(key), IfMatch: optionalText(etag)})
	err = classifyError("delete", key, err)
	var e *awserr.Error
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case errors.As(err, &e):
		return s.explainDenied(ctx, e)
	}
	return err
}

// DeleteMatching removes an object if it has this ETag. See Store.
func (s *S3) DeleteMatching(ctx context.Context, key, etag string) error {
	const op = "delete"
	if err := s.checkWritable(op, key); err != nil {
		return err
	}
	info, err := s.Head(ctx, key)
	if err == nil && info.ETag != etag {
		return awserr.Fail(op, key, ErrChanged, "it has the ETag %s and not %s", info.ETag, etag)
	}
	if err != nil {
		return IgnoreNotFound(err)
	}
	switch err = s.deleteOne(ctx, key, etag); {
	case errors.Is(err, ErrUnsupported):
		return s.deleteOne(ctx, key, "")
	case errors.Is(err, ErrExists) && s.checkAbsent(ctx, op, key) != nil: // absent after a lost answer
		return awserr.Fail(op, key, ErrChanged, "%w", err)
	case errors.Is(err, ErrExists):
		return nil
	}
	return err
}

// IgnoreNotFound is err, or nil where it says that there is no such object.
func IgnoreNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// explainDenied finds out whether a lock is what denied a deletion: S3 answers
// AccessDenied to both missing rights and Object Lock.
func (s *S3) explainDenied(ctx context.Context, e *awserr.Error) error {
	if !errors.Is(e.Kind, ErrAccessDenied) {
		return e
	}
	head, err := s.headObject(ctx, e.Name)
	if err != nil {
		return e // the denial itself is the news
	}
	if locked := lockError(e.Op, e.Name, head); locked != nil {
		return locked
	}
	return e
}
