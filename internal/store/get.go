package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// Get opens an object. See Store.
func (s *S3) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	if err := s.checkReadable("get", key); err != nil {
		return nil, Info{}, err
	}
	out, err := s.getObject(ctx, key, "", "")
	if err != nil {
		return nil, Info{}, classifyError("get", key, err)
	}
	info := newInfo(key, out.ContentLength, out.ETag, out.LastModified)
	return s.newResumingReader(ctx, key, 0, out), info, nil
}

// GetRange opens part of an object. See Store.
func (s *S3) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if err := s.checkReadable("get range", key); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, awserr.Fail("get range", key, ErrInvalid, "negative offset %d", off)
	}
	if n == 0 {
		_, err := s.Head(ctx, key)
		return emptyBody(), err
	}
	out, err := s.getObject(ctx, key, rangeHeader(off, n), "")
	if awserr.Code(err) == "InvalidRange" || awserr.Status(err) == 416 {
		return emptyBody(), nil
	}
	if err != nil {
		return nil, classifyError("get range", key, err)
	}
	return s.newResumingReader(ctx, key, off, out), nil
}

func emptyBody() io.ReadCloser { return io.NopCloser(bytes.NewReader(nil)) }

func rangeHeader(off, n int64) string {
	if n < 0 {
		return fmt.Sprintf("bytes=%d-", off)
	}
	return fmt.Sprintf("bytes=%d-%d", off, off+n-1)
}

func (s *S3) getObject(ctx context.Context, key, byteRange, etag string) (*s3.GetObjectOutput, error) {
	in := &s3.GetObjectInput{
		Bucket: s.bucketName(), Key: s.keyName(key), Range: optionalText(byteRange), IfMatch: optionalText(etag),
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customer.headerFields()
	return s.client.GetObject(ctx, in)
}

// Head describes an object. See Store.
func (s *S3) Head(ctx context.Context, key string) (Info, error) {
	if err := s.checkReadable("head", key); err != nil {
		return Info{}, err
	}
	out, err := s.headObject(ctx, key)
	if err != nil {
		return Info{}, classifyError("head", key, err)
	}
	return newInfo(key, out.ContentLength, out.ETag, out.LastModified), nil
}

func (s *S3) headObject(ctx context.Context, key string) (*s3.HeadObjectOutput, error) {
	in := &s3.HeadObjectInput{Bucket: s.bucketName(), Key: s.keyName(key)}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customer.headerFields()
	return s.client.HeadObject(ctx, in)
}

func newInfo(key string, size *int64, etag *string, modified *time.Time) Info {
	return Info{
		Key: key, Size: aws.ToInt64(size), ETag: strings.Trim(aws.ToString(etag), `"`), Modified: aws.ToTime(modified),
	}
}
