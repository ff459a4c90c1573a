package store

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// List calls fn for every object below prefix. See Store.
func (s *S3) List(ctx context.Context, prefix string, fn func(Info) error) error {
	return s.listPages(ctx, prefix, "", func(page *s3.ListObjectsV2Output) error {
		for _, o := range page.Contents {
			key := s.relativeKey(aws.ToString(o.Key))
			if err := fn(newInfo(key, o.Size, o.ETag, o.LastModified)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Dirs lists the directories directly below prefix. See Store.
func (s *S3) Dirs(ctx context.Context, prefix string) ([]string, error) {
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	var names []string
	err := s.listPages(ctx, prefix, "/", func(page *s3.ListObjectsV2Output) error {
		for _, p := range page.CommonPrefixes {
			name := strings.TrimPrefix(s.relativeKey(aws.ToString(p.Prefix)), prefix)
			names = append(names, strings.TrimSuffix(name, "/"))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

func (s *S3) listPages(ctx context.Context, prefix, delimiter string, fn func(*s3.ListObjectsV2Output) error) error {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{
		Bucket: s.bucketName(), Prefix: s.keyName(prefix), Delimiter: optionalText(delimiter),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return classifyError("list", prefix, err)
		}
		if err := fn(page); err != nil {
			return err
		}
	}
	return nil
}
