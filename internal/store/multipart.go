package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// abortTimeout bounds the clean-up of an upload whose caller is gone.
const (
	abortTimeout = 30 * time.Second
	abortPause   = 20 * time.Millisecond // doubled each time
)

// upload is a multipart upload in progress.
type upload struct {
	store *S3
	op    string
	key   string
	id    *string
}

// withUpload begins an upload, lets fill send its parts, and completes it. On
// any failure the upload is aborted, also when ctx is cancelled.
func (s *S3) withUpload(ctx context.Context, op, key string, o PutOptions, fill func(context.Context, *upload) ([]types.CompletedPart, error)) error {
	native, err := s.guard(ctx, op, key, o)
	if err != nil {
		return err
	}
	u, err := s.begin(ctx, op, key, o.ContentType)
	if err != nil {
		return err
	}
	parts, err := fill(ctx, u)
	if err == nil && o.IfAbsent && !native {
		err = s.absent(ctx, op, key) // parts took time: look again
	}
	if err == nil {
		err = u.complete(ctx, parts, native)
	}
	if err == nil {
		return nil
	}
	return errors.Join(err, u.abort(ctx))
}

func (s *S3) begin(ctx context.Context, op, key, contentType string) (*upload, error) {
	in := &s3.CreateMultipartUploadInput{
		Bucket: s.bucketName(), Key: s.keyName(key), ContentType: optional(contentType),
		ChecksumAlgorithm: s.checksum, ServerSideEncryption: s.sse, SSEKMSKeyId: optional(s.kmsKeyID), Tagging: optional(s.tagging),
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customer.headers()
	out, err := s.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return nil, classify(op, key, err)
	}
	return &upload{store: s, op: op, key: key, id: out.UploadId}, nil
}

func (u *upload) send(ctx context.Context, n int32, body []byte) (types.CompletedPart, error) {
	s := u.store
	in := &s3.UploadPartInput{
		Bucket: s.bucketName(), Key: s.keyName(u.key), UploadId: u.id, PartNumber: aws.Int32(n),
		Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))), ChecksumAlgorithm: s.checksum,
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customer.headers()
	out, err := s.client.UploadPart(ctx, in)
	if err != nil {
		return types.CompletedPart{}, classify(u.op, u.key, fmt.Errorf("send part %d: %w", n, err))
	}
	return types.CompletedPart{
		PartNumber: aws.Int32(n), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C,
		ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256, ChecksumSHA512: out.ChecksumSHA512,
	}, nil
}

func (u *upload) copy(ctx context.Context, n int32, p Part) (types.CompletedPart, error) {
	s := u.store
	in := &s3.UploadPartCopyInput{
		Bucket: s.bucketName(), Key: s.keyName(u.key), UploadId: u.id, PartNumber: aws.Int32(n),
		CopySource: aws.String(s.copySource(p.Key)), CopySourceRange: aws.String(rangeHeader(p.Offset, p.Size)),
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customer.headers()
	in.CopySourceSSECustomerAlgorithm, in.CopySourceSSECustomerKey, in.CopySourceSSECustomerKeyMD5 = s.customer.headers()
	out, err := s.client.UploadPartCopy(ctx, in)
	if err != nil {
		return types.CompletedPart{}, classify(u.op, u.key, fmt.Errorf("copy part %d from %q: %w", n, p.Key, err))
	}
	r := out.CopyPartResult
	if r == nil {
		return types.CompletedPart{}, fail(u.op, u.key, ErrUnsupported, "copy part %d: empty answer", n)
	}
	return types.CompletedPart{
		PartNumber: aws.Int32(n), ETag: r.ETag, ChecksumCRC32: r.ChecksumCRC32, ChecksumCRC32C: r.ChecksumCRC32C,
		ChecksumCRC64NVME: r.ChecksumCRC64NVME, ChecksumSHA1: r.ChecksumSHA1, ChecksumSHA256: r.ChecksumSHA256, ChecksumSHA512: r.ChecksumSHA512,
	}, nil
}

func (u *upload) complete(ctx context.Context, parts []types.CompletedPart, ifAbsent bool) error {
	s := u.store
	in := &s3.CompleteMultipartUploadInput{
		Bucket: s.bucketName(), Key: s.keyName(u.key), UploadId: u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	if ifAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customer.headers()
	sent := 0
	_, err := s.client.CompleteMultipartUpload(ctx, in, countAttempts(&sent))
	if err != nil && sent > 1 && u.completed(ctx, len(parts)) {
		return nil
	}
	return classify(u.op, u.key, err)
}

// completed tells, after a lost answer, whether the first request did its
// work: the upload is gone and the key holds an object of as many parts.
func (u *upload) completed(ctx context.Context, parts int) bool {
	if gone, err := u.gone(ctx); !gone || err != nil {
		return false
	}
	info, err := u.store.Head(ctx, u.key)
	return err == nil && strings.HasSuffix(info.ETag, fmt.Sprintf("-%d", parts))
}

// abort frees the stored parts, on a context of its own. A part that was in
// flight may land after the abort and bring the upload back, as S3 warns, so
// abort looks whether it is gone and repeats itself.
func (u *upload) abort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	pause := abortPause
	for {
		err := u.abortOnce(ctx)
		if err != nil {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return classify("abort upload", u.key, err)
		}
		if gone, err := u.gone(ctx); gone || err != nil {
			return err
		}
		pause *= 2
	}
}

func (u *upload) abortOnce(ctx context.Context) error {
	s := u.store
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: s.bucketName(), Key: s.keyName(u.key), UploadId: u.id})
	if err = classify("abort upload", u.key, err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// gone reports that the store knows nothing of the upload any more. A store
// that cannot list parts is taken at its word.
func (u *upload) gone(ctx context.Context) (bool, error) {
	s := u.store
	_, err := s.client.ListParts(ctx, &s3.ListPartsInput{Bucket: s.bucketName(), Key: s.keyName(u.key), UploadId: u.id, MaxParts: aws.Int32(1)})
	err = classify("abort upload", u.key, err)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnsupported) || errors.Is(err, ErrAccessDenied) {
		return true, nil
	}
	return false, err
}

// AbortUploads drops unfinished multipart uploads. See Store.
func (s *S3) AbortUploads(ctx context.Context, prefix string) (int, error) {
	if err := s.writable("abort uploads", prefix); err != nil {
		return 0, err
	}
	found, err := s.uploads(ctx, prefix)
	if err != nil {
		return 0, err
	}
	var errs []error
	gone := 0
	for _, u := range found {
		if err := u.abort(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		gone++
	}
	return gone, errors.Join(errs...)
}

// uploads lists the unfinished uploads below prefix.
func (s *S3) uploads(ctx context.Context, prefix string) ([]*upload, error) {
	var found []*upload
	in := &s3.ListMultipartUploadsInput{Bucket: s.bucketName(), Prefix: s.keyName(prefix)}
	for {
		page, err := s.client.ListMultipartUploads(ctx, in)
		if err != nil {
			return nil, classify("list uploads", prefix, err)
		}
		for _, m := range page.Uploads {
			found = append(found, &upload{store: s, key: s.relative(aws.ToString(m.Key)), id: m.UploadId})
		}
		if !aws.ToBool(page.IsTruncated) || page.NextKeyMarker == nil {
			return found, nil
		}
		in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
}
