//go:build stack

package store_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

const (
	accessKey = "lifeboat"
	secretKey = "lifeboat-secret"
)

// gateway is a real S3 server over a directory of the test's own.
type gateway struct {
	endpoint string
	admin    *s3.Client
	buckets  atomic.Int32
}

var shared *gateway

func TestMain(m *testing.M) {
	os.Exit(withGateway(m))
}

func withGateway(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lifeboat-store-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	g, stop, err := startGateway(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "start versitygw:", err)
		return 1
	}
	defer stop()
	shared = g
	return m.Run()
}

func startGateway(dir string) (*gateway, func(), error) {
	if err := stack.Build(context.Background(), os.Stderr, "versitygw"); err != nil {
		return nil, nil, err
	}
	binary, err := stack.Binary("versitygw")
	if err != nil {
		return nil, nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, nil, err
	}
	data, versions := filepath.Join(dir, "data"), filepath.Join(dir, "versions")
	for _, d := range []string{data, versions} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, nil, err
		}
	}
	cmd := exec.Command(binary, "--access", accessKey, "--secret", secretKey, "--region", "us-east-1", "--port", addr,
		"--health", "/healthz", "--quiet", "posix", "--versioning-dir", versions, data)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	g := &gateway{endpoint: "http://" + addr}
	g.admin = s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(g.endpoint), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
	if err := g.waitHealthy(); err != nil {
		stop()
		return nil, nil, err
	}
	return g, stop, nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (g *gateway) waitHealthy() error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(g.endpoint + "/healthz")
		if err == nil {
			_ = resp.Body.Close()
			return nil
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

// newBucket makes an empty bucket; with lock it has Object Lock.
func (g *gateway) newBucket(t testing.TB, lock bool) string {
	t.Helper()
	name := fmt.Sprintf("test-%d-%d", os.Getpid(), g.buckets.Add(1))
	in := &s3.CreateBucketInput{Bucket: aws.String(name)}
	if lock {
		in.ObjectLockEnabledForBucket = aws.Bool(true)
	}
	if _, err := g.admin.CreateBucket(t.Context(), in); err != nil {
		t.Fatalf("create bucket: %v", err)
	}
	return name
}

// location is a document for a bucket of the gateway, with credentials in a
// file; more overrides or adds keys of spec.config.
func (g *gateway) location(t testing.TB, bucket string, more map[string]string) velerov1.BackupStorageLocation {
	t.Helper()
	config := map[string]string{
		"region": "us-east-1", "s3Url": g.endpoint, "s3ForcePathStyle": "true", "credentialsFile": credentialsFile(t, accessKey, secretKey),
	}
	for k, v := range more {
		config[k] = v
	}
	bsl := location(config)
	bsl.Spec.ObjectStorage.Bucket = bucket
	return bsl
}

func (g *gateway) open(t testing.TB, more map[string]string) *store.S3 {
	t.Helper()
	return open(t, g.location(t, g.newBucket(t, false), more))
}
