package store

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

// abortTimeout bounds the clean-up of an upload whose caller is gone.
const (
	abortTimeout = 30 * time.Second
	abortPause   = 20 * time.Millisecond // doubled each time
)

// abortUpload frees the stored parts, on a context of its own. A part that was in
// flight may land after the abort and bring the upload back, as S3 warns, so
// abort looks whether it is gone and repeats itself.
func (u *upload) abortUpload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	pause := abortPause
	for {
		err := u.abortOnce(ctx)
		if err != nil {
			return err
		}
		if err := poll.Wait(ctx, pause); err != nil {
			return classifyError("abort upload", u.key, err)
		}
		if gone, err := u.isGone(ctx); gone || err != nil {
			return err
		}
		pause *= 2
	}
}

func (u *upload) abortOnce(ctx context.Context) error {
	s := u.store
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: s.bucketName(), Key: s.keyName(u.key), UploadId: u.id})
	if err = classifyError("abort upload", u.key, err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// isGone reports that the store knows nothing of the upload any more. A store
// that cannot list parts is taken at its word.
func (u *upload) isGone(ctx context.Context) (bool, error) {
	s := u.store
	_, err := s.client.ListParts(ctx, &s3.ListPartsInput{Bucket: s.bucketName(), Key: s.keyName(u.key), UploadId: u.id, MaxParts: aws.Int32(1)})
	err = classifyError("abort upload", u.key, err)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnsupported) || errors.Is(err, ErrAccessDenied) {
		return true, nil
	}
	return false, err
}

// AbortUploads drops unfinished multipart uploads. See Store.
func (s *S3) AbortUploads(ctx context.Context, prefix string) (int, error) {
	if err := s.checkWritable("abort uploads", prefix); err != nil {
		return 0, err
	}
	found, err := s.listUploads(ctx, prefix)
	if err != nil {
		return 0, err
	}
	var errs []error
	gone := 0
	for _, u := range found {
		if err := u.abortUpload(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		gone++
	}
	return gone, errors.Join(errs...)
}

// Uploads lists unfinished multipart uploads. See Store.
func (s *S3) Uploads(ctx context.Context, prefix string) ([]Upload, error) {
	found, err := s.listUploads(ctx, prefix)
	all := make([]Upload, 0, len(found))
	for _, u := range found {
		all = append(all, Upload{Key: u.key, Started: u.started})
	}
	return all, err
}

// listUploads lists the unfinished uploads below prefix.
func (s *S3) listUploads(ctx context.Context, prefix string) ([]*upload, error) {
	var found []*upload
	in := &s3.ListMultipartUploadsInput{Bucket: s.bucketName(), Prefix: s.keyName(prefix)}
	for {
		page, err := s.client.ListMultipartUploads(ctx, in)
		if err != nil {
			return nil, classifyError("list uploads", prefix, err)
		}
		for _, m := range page.Uploads {
			found = append(found, &upload{store: s, key: s.relativeKey(aws.ToString(m.Key)), id: m.UploadId, started: aws.ToTime(m.Initiated)})
		}
		if !aws.ToBool(page.IsTruncated) || page.NextKeyMarker == nil {
			return found, nil
		}
		in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
}
