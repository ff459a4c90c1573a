package store

import (
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// fullKey is the key in the bucket; a prefix of a listing works the same way.
func (s *S3) fullKey(key string) string {
	if s.prefix == "" {
		return key
	}
	return s.prefix + "/" + key
}

// relativeKey undoes fullKey.
func (s *S3) relativeKey(key string) string {
	if s.prefix == "" {
		return key
	}
	return strings.TrimPrefix(key, s.prefix+"/")
}

func (s *S3) bucketName() *string { return aws.String(s.bucket) }

func (s *S3) keyName(key string) *string { return aws.String(s.fullKey(key)) }

// copySource names an object for a server-side copy, in the escaped form that
// S3 asks for. Objects behind an access point have an ARN of their own.
func (s *S3) copySource(key string) string {
	path := (&url.URL{Path: s.fullKey(key)}).EscapedPath()
	path = strings.ReplaceAll(path, "+", "%2B") // some stores read "+" as a space
	if strings.HasPrefix(s.bucket, "arn:") {
		return s.bucket + "/object/" + path
	}
	return s.bucket + "/" + path
}

// checkReadable and checkWritable refuse bad keys before anything is sent.
func (s *S3) checkReadable(op, key string) error {
	if err := CheckKey(key); err != nil {
		return &awserr.Error{Op: op, Name: key, Kind: ErrInvalid, Cause: err}
	}
	return nil
}

func (s *S3) checkWritable(op, key string) error {
	if s.readOnly {
		return awserr.Fail(op, key, ErrReadOnly, "spec.accessMode is ReadOnly")
	}
	return s.checkReadable(op, key)
}
