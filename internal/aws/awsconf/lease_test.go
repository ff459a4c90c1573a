package awsconf

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lifeboat-backup/lifeboat/internal/lease"
)

// TestLease: an attempt whose lease has expired sends nothing to AWS that changes something; what
// reads is sent, and so is everything of an attempt whose lease lasts.
func TestLease(t *testing.T) {
	sent := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent++ }))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id=A\naws_secret_access_key=S\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(t.Context(), Source{Region: "eu-central-1", CredentialsFile: file})
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseEndpoint = &server.URL
	bucket, volumes, who := s3.NewFromConfig(cfg), ec2.NewFromConfig(cfg), sts.NewFromConfig(cfg)
	for name, tc := range map[string]struct {
		changes bool
		do      func(context.Context) error
	}{
		"PutObject": {true, func(ctx context.Context) error {
			_, err := bucket.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
			return err
		}},
		"DeleteObject": {true, func(ctx context.Context) error {
			_, err := bucket.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
			return err
		}},
		"CreateSnapshot": {true, func(ctx context.Context) error {
			_, err := volumes.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{VolumeId: aws.String("v")})
			return err
		}},
		"GetObject": {false, func(ctx context.Context) error {
			_, err := bucket.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
			return err
		}},
		"HeadObject": {false, func(ctx context.Context) error {
			_, err := bucket.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
			return err
		}},
		"ListObjectsV2": {false, func(ctx context.Context) error {
			_, err := bucket.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("b")})
			return err
		}},
		"DescribeSnapshots": {false, func(ctx context.Context) error { _, err := volumes.DescribeSnapshots(ctx, nil); return err }},
		"AssumeRole": {false, func(ctx context.Context) error {
			_, err := who.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("r"), RoleSessionName: aws.String("s")})
			return err
		}},
	} {
		for _, expired := range []bool{false, true} {
			sent = 0
			ctx, end := lease.Begin(t.Context(), map[bool]time.Duration{true: -1, false: time.Hour}[expired])
			lease.Renew(ctx, time.Now())
			err := tc.do(context.WithoutCancel(ctx))
			kept := tc.changes && expired
			if (sent == 0) != kept || errors.Is(err, lease.ErrExpired) != kept {
				t.Errorf("%s, expired %t: %d requests, %v", name, expired, sent, err)
			}
			end()
		}
	}
}
