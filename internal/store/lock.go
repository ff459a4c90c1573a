package store

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// CheckUnlocked looks for a retention period and a legal hold. See Store. The answer to HEAD
// leaves both out, without an error, where the credentials may not read them. Only in a
// bucket with versions can there be any, so only there they are asked for by themselves.
func (s *S3) CheckUnlocked(ctx context.Context, key string) error {
	if err := s.checkReadable("look for a lock of", key); err != nil {
		return err
	}
	head, err := s.headObject(ctx, key)
	if err != nil {
		return classifyError("look for a lock of", key, err)
	}
	if err := lockError("look for a lock of", key, head); err != nil {
		return err
	}
	if version := aws.ToString(head.VersionId); version == "" || version == "null" {
		return nil
	}
	return s.mayReadLocks(ctx, key)
}

// mayReadLocks fails with ErrLockUnknown unless the credentials may read what HEAD did not show.
func (s *S3) mayReadLocks(ctx context.Context, key string) error {
	_, err := s.client.GetObjectRetention(ctx, &s3.GetObjectRetentionInput{Bucket: s.bucketName(), Key: s.keyName(key)})
	if kindOf(err) == nil || errors.Is(kindOf(err), ErrNotFound) {
		_, err = s.client.GetObjectLegalHold(ctx, &s3.GetObjectLegalHoldInput{Bucket: s.bucketName(), Key: s.keyName(key)})
	}
	switch kind := kindOf(err); {
	case errors.Is(kind, ErrAccessDenied):
		return &awserr.Error{Op: "look for a lock of", Name: key, Kind: ErrLockUnknown, Cause: err}
	case errors.Is(kind, ErrNotFound), errors.Is(kind, ErrInvalid), errors.Is(kind, ErrUnsupported):
		return nil // no lock, or a bucket or a store without Object Lock
	}
	return classifyError("look for a lock of", key, err)
}

// lockError is ErrLocked where the answer to HEAD shows a lock that is in force.
func lockError(op, key string, head *s3.HeadObjectOutput) error {
	until := aws.ToTime(head.ObjectLockRetainUntilDate)
	switch {
	case head.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn:
		return awserr.Fail(op, key, ErrLocked, "legal hold")
	case head.ObjectLockMode != "" && until.After(time.Now()):
		return awserr.Fail(op, key, ErrLocked, "%s until %s", head.ObjectLockMode, until.UTC().Format(time.RFC3339))
	}
	return nil
}
