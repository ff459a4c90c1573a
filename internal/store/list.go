package store

import (
	"context"
	"log/slog"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// List calls fn for every object below prefix. See Store.
func (s *S3) List(ctx context.Context, prefix string, fn func(Info) error) error {
	return s.ListAfter(ctx, prefix, "", fn)
}

// ListAfter calls fn for the objects below prefix behind a key. See Store.
func (s *S3) ListAfter(ctx context.Context, prefix, after string, fn func(Info) error) error {
	var unusable passedOver
	defer unusable.tell(s.log, prefix)
	return s.listPages(ctx, prefix, after, "", func(page *s3.ListObjectsV2Output) error {
		for _, o := range page.Contents {
			key := s.relativeKey(aws.ToString(o.Key))
			if key <= after {
				continue // a service that does not know where to start starts at the beginning
			}
			if unusable.is(key) {
				continue
			}
			if err := fn(newInfo(key, o.Size, o.ETag, o.LastModified)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Dirs lists the directories directly below prefix. See Store.
func (s *S3) Dirs(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	err := s.DirsAfter(ctx, prefix, "", func(name string) error {
		names = append(names, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

// DirsAfter calls fn for the directories below prefix behind a name. See Store.
func (s *S3) DirsAfter(ctx context.Context, prefix, after string, fn func(name string) error) error {
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	start := ""
	if after != "" {
		start = prefix + after + "/"
	}
	var unusable passedOver
	defer unusable.tell(s.log, prefix)
	return s.listPages(ctx, prefix, start, "/", func(page *s3.ListObjectsV2Output) error {
		for _, p := range page.CommonPrefixes {
			key := s.relativeKey(aws.ToString(p.Prefix))
			if key <= start {
				continue // services differ in whether what lies within after comes behind it
			}
			if unusable.is(key) {
				continue
			}
			if err := fn(strings.TrimSuffix(strings.TrimPrefix(key, prefix), "/")); err != nil {
				return err
			}
		}
		return nil
	})
}

// passedOver are keys in a listing that CheckKey refuses: nothing of ours has such a one, and nothing
// could be asked of it. One of them shall not make a directory unreadable.
type passedOver struct {
	n     int
	first error
}

func (p *passedOver) is(key string) bool {
	err := CheckKey(key)
	if err != nil && p.n == 0 {
		p.first = err
	}
	if err != nil {
		p.n++
	}
	return err != nil
}

// tell tells of all in one line: whoever may write to the bucket may put any number there.
func (p *passedOver) tell(log *slog.Logger, prefix string) {
	if p.n > 0 {
		log.Warn("passed over keys in the bucket that nothing of Lifeboat's has", "below", prefix, "keys", p.n, "first", p.first)
	}
}

// listPages lists what sorts behind the key start, which is "" for the beginning.
func (s *S3) listPages(ctx context.Context, prefix, start, delimiter string, fn func(*s3.ListObjectsV2Output) error) error {
	in := &s3.ListObjectsV2Input{Bucket: s.bucketName(), Prefix: s.keyName(prefix), Delimiter: optionalText(delimiter)}
	if start != "" {
		in.StartAfter = s.keyName(start)
	}
	pages := s3.NewListObjectsV2Paginator(s.client, in)
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
