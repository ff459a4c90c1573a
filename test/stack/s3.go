package stack

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	defaultBucket = "lifeboat"
	s3AccessKey   = "lifeboat"
	s3SecretKey   = "lifeboat-secret"
)

func (s *Stack) startS3(ctx context.Context) error {
	binary, err := Binary("versitygw")
	if err != nil {
		return err
	}
	root, versions := s.data("s3"), s.data("s3-versions")
	if err := makeDirs(root, versions); err != nil {
		return err
	}
	s.S3 = S3{Region: "us-east-1", AccessKey: s3AccessKey, SecretKey: s3SecretKey, Bucket: defaultBucket}
	err = s.launch(ctx, "versitygw", 1, func(ports []int) (*service, error) {
		s.S3.Endpoint = "http://" + loopback(ports[0])
		return &service{Name: "versitygw", Binary: binary, Health: s.S3.Endpoint + "/healthz", Args: []string{
			"--access=" + s.S3.AccessKey, "--secret=" + s.S3.SecretKey, "--region=" + s.S3.Region,
			"--port=" + loopback(ports[0]), "--health=/healthz", "--quiet", "--access-log=" + s.s3Log(),
			"posix", "--versioning-dir=" + versions, root,
		}}, nil
	})
	if err != nil {
		return err
	}
	return s.NewBucket(ctx, s.S3.Bucket)
}

// NewBucket makes a bucket; one that is there already is no error.
func (s *Stack) NewBucket(ctx context.Context, name string) error {
	return s.makeBucket(ctx, name, nil)
}

// NewLockBucket makes a bucket with Object Lock, which switches versioning on too.
func (s *Stack) NewLockBucket(ctx context.Context, name string) error {
	return s.makeBucket(ctx, name, map[string]string{"X-Amz-Bucket-Object-Lock-Enabled": "true"})
}

func (s *Stack) makeBucket(ctx context.Context, name string, headers map[string]string) error {
	status, answer, err := s.S3.do(ctx, http.MethodPut, "/"+name, "", "", headers)
	if err == nil && status >= 300 && !strings.Contains(answer, "BucketAlreadyOwnedByYou") {
		err = fmt.Errorf("status %d: %s", status, answer)
	}
	if err != nil {
		return fmt.Errorf("make bucket %s: %w", name, err)
	}
	return nil
}

// EnableVersioning makes the bucket keep what is overwritten or deleted.
func (s *Stack) EnableVersioning(ctx context.Context, bucket string) error {
	const on = `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>`
	return s.set(ctx, bucket, "versioning", on)
}

// LockObject puts an object of a bucket with Object Lock under a retention until a time, as S3 does with
// each one that is written where the bucket has a default retention.
func (s *Stack) LockObject(ctx context.Context, bucket, key string, until time.Time) error {
	const retention = `<Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Mode>GOVERNANCE</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>`
	return s.set(ctx, bucket+"/"+key, "retention", fmt.Sprintf(retention, until.UTC().Format(time.RFC3339)))
}

// set writes a setting of a bucket or an object.
func (s *Stack) set(ctx context.Context, of, setting, document string) error {
	sum := sha256.Sum256([]byte(document))
	headers := map[string]string{"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(sum[:])}
	status, answer, err := s.S3.do(ctx, http.MethodPut, "/"+of, setting+"=", document, headers)
	if err == nil && status >= 300 {
		err = fmt.Errorf("status %d: %s", status, answer)
	}
	if err != nil {
		return fmt.Errorf("set %s of %s: %w", setting, of, err)
	}
	return nil
}

func (s3 S3) do(ctx context.Context, method, path, query, body string, headers map[string]string) (int, string, error) {
	url := s3.Endpoint + path
	if query != "" {
		url += "?" + query
	}
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	s3.sign(req, body, time.Now().UTC())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer), err
}
