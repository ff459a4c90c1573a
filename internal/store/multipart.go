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

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// upload is a multipart upload in progress.
type upload struct {
	store *S3
	op    string
	key   string
	id    *string

	started time.Time // of one that a list has shown
}

// withUpload begins an upload, lets fill send its parts, and completes it. On
// any failure the upload is aborted, also when ctx is cancelled.
func (s *S3) withUpload(ctx context.Context, op, key string, o PutOptions, fill func(context.Context, *upload) ([]types.CompletedPart, error)) error {
	native, err := s.prepareCondition(ctx, op, key, o)
	if err != nil {
		return err
	}
	u, err := s.beginUpload(ctx, op, key, o.ContentType)
	if err != nil {
		return err
	}
	parts, err := fill(ctx, u)
	if err == nil && o.IfAbsent && !native {
		err = s.checkAbsent(ctx, op, key) // parts took time: look again
	}
	if err == nil {
		err = u.completeUpload(ctx, parts, native)
	}
	if err == nil {
		return nil
	}
	return errors.Join(err, u.abortUpload(ctx))
}

func (s *S3) beginUpload(ctx context.Context, op, key, contentType string) (*upload, error) {
	in := &s3.CreateMultipartUploadInput{
		Bucket: s.bucketName(), Key: s.keyName(key), ContentType: optionalText(contentType),
		ChecksumAlgorithm: s.checksum, ServerSideEncryption: s.sse, SSEKMSKeyId: optionalText(s.kmsKeyID), Tagging: optionalText(s.tagging),
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customer.headerFields()
	out, err := s.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return nil, classifyError(op, key, err)
	}
	return &upload{store: s, op: op, key: key, id: out.UploadId}, nil
}

func (u *upload) sendPart(ctx context.Context, n int32, body []byte) (types.CompletedPart, error) {
	s := u.store
	in := &s3.UploadPartInput{
		Bucket: s.bucketName(), Key: s.keyName(u.key), UploadId: u.id, PartNumber: aws.Int32(n),
		Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))), ChecksumAlgorithm: s.checksum,
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customer.headerFields()
	out, err := s.client.UploadPart(ctx, in)
	if err != nil {
		return types.CompletedPart{}, classifyError(u.op, u.key, fmt.Errorf("send part %d: %w", n, err))
	}
	return types.CompletedPart{
		PartNumber: aws.Int32(n), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C,
		ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256, ChecksumSHA512: out.ChecksumSHA512,
	}, nil
}

func (u *upload) copyPart(ctx context.Context, n int32, p Part) (types.CompletedPart, error) {
	s := u.store
	in := &s3.UploadPartCopyInput{
		Bucket: s.bucketName(), Key: s.keyName(u.key), UploadId: u.id, PartNumber: aws.Int32(n),
		CopySource: aws.String(s.copySource(p.Key)), CopySourceRange: aws.String(rangeHeader(p.Offset, p.Size)),
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customer.headerFields()
	in.CopySourceSSECustomerAlgorithm, in.CopySourceSSECustomerKey, in.CopySourceSSECustomerKeyMD5 = s.customer.headerFields()
	out, err := s.client.UploadPartCopy(ctx, in)
	if err != nil {
		return types.CompletedPart{}, classifyError(u.op, u.key, fmt.Errorf("copy part %d from %q: %w", n, p.Key, err))
	}
	r := out.CopyPartResult
	if r == nil {
		return types.CompletedPart{}, awserr.Fail(u.op, u.key, ErrUnsupported, "copy part %d: empty answer", n)
	}
	return types.CompletedPart{
		PartNumber: aws.Int32(n), ETag: r.ETag, ChecksumCRC32: r.ChecksumCRC32, ChecksumCRC32C: r.ChecksumCRC32C,
		ChecksumCRC64NVME: r.ChecksumCRC64NVME, ChecksumSHA1: r.ChecksumSHA1, ChecksumSHA256: r.ChecksumSHA256, ChecksumSHA512: r.ChecksumSHA512,
	}, nil
}

func (u *upload) completeUpload(ctx context.Context, parts []types.CompletedPart, ifAbsent bool) error {
	s := u.store
	in := &s3.CompleteMultipartUploadInput{
		Bucket: s.bucketName(), Key: s.keyName(u.key), UploadId: u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	if ifAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customer.headerFields()
	sent := 0
	_, err := s.client.CompleteMultipartUpload(ctx, in, countAttempts(&sent))
	if err != nil && sent > 1 && u.wasCompleted(ctx, len(parts)) {
		return nil
	}
	return classifyError(u.op, u.key, err)
}

// wasCompleted tells, after a lost answer, whether the first request did its
// work: the upload is gone and the key holds an object of as many parts.
func (u *upload) wasCompleted(ctx context.Context, parts int) bool {
	if gone, err := u.isGone(ctx); !gone || err != nil {
		return false
	}
	info, err := u.store.Head(ctx, u.key)
	return err == nil && strings.HasSuffix(info.ETag, fmt.Sprintf("-%d", parts))
}
