package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// findRegion follows Velero: the location's region; for AWS itself the
// bucket's own, asked of S3; for other stores the environment's or us-east-1,
// which those stores ignore.
func (s *S3) findRegion(ctx context.Context, cfg aws.Config) (string, error) {
	switch {
	case s.region != "":
		return s.region, nil
	case s.s3URL != "" && cfg.Region != "":
		return cfg.Region, nil
	case s.s3URL != "":
		return defaultRegion, nil
	}
	region, err := s.bucketRegion(ctx, cfg)
	if err != nil {
		return "", fmt.Errorf("find the region of bucket %q (or set spec.config.region): %w", s.bucket, err)
	}
	return region, nil
}

// bucketRegion asks S3. The answer is in a header that S3 also sends with
// redirects and refusals, so even credentials without rights learn it.
func (s *S3) bucketRegion(ctx context.Context, cfg aws.Config) (string, error) {
	client := s3.NewFromConfig(cfg, s.clientOptions(""), func(o *s3.Options) { o.Region = defaultRegion })
	out, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(s.bucket)})
	if err == nil {
		if region := aws.ToString(out.BucketRegion); region != "" {
			return region, nil
		}
		return defaultRegion, nil
	}
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		if region := resp.Response.Header.Get("X-Amz-Bucket-Region"); region != "" {
			return region, nil
		}
	}
	if awserr.Status(err) == 404 {
		return "", &awserr.Error{Op: "head bucket", Kind: ErrNoBucket, Cause: err}
	}
	return "", classifyError("head bucket", "", err)
}
