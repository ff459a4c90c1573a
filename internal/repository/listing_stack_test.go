//go:build stack

package repository_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// openGateway is a location on a real S3 server over a directory of the test's own.
func openGateway(tb testing.TB) store.Store {
	tb.Helper()
	if err := stack.Build(tb.Context(), os.Stderr, "versitygw"); err != nil {
		tb.Fatal(err)
	}
	binary, err := stack.Binary("versitygw")
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	data, credentials := filepath.Join(dir, "data"), filepath.Join(dir, "credentials")
	if err := os.MkdirAll(filepath.Join(data, "lifeboat"), 0o700); err != nil { // a directory is a bucket
		tb.Fatal(err)
	}
	if err := os.WriteFile(credentials, []byte("[default]\naws_access_key_id = lifeboat\naws_secret_access_key = lifeboat-secret\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	cmd := exec.Command(binary, "--access", "lifeboat", "--secret", "lifeboat-secret", "--region", "us-east-1", "--port", addr, "--health", "/healthz", "--quiet", "posix", data)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get("http://" + addr + "/healthz")
		if err == nil {
			_ = resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			tb.Fatal(err)
		}
	}
	bsl := velerov1.BackupStorageLocation{}
	bsl.Name, bsl.Spec.Provider = "gateway", "aws"
	bsl.Spec.ObjectStorage = &velerov1.ObjectStorageLocation{Bucket: "lifeboat", Prefix: "p"}
	bsl.Spec.Config = map[string]string{"region": "us-east-1", "s3Url": "http://" + addr, "s3ForcePathStyle": "true", "credentialsFile": credentials}
	st, err := store.Open(tb.Context(), bsl, store.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return st
}

// fill commits n backups of ours.
func fill(tb testing.TB, st store.Store, n int) {
	tb.Helper()
	group, ctx := errgroup.WithContext(tb.Context())
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error {
			doc := ourBackup(fmt.Sprintf("daily-%05d", i), fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
			layout := archive.Layout{Backup: doc.Name}
			for _, key := range []string{layout.Tarball(), layout.Manifest()} {
				if err := st.Put(ctx, key, []byte("x"), store.PutOptions{}); err != nil {
					return err
				}
			}
			if err := repository.PutDocument(ctx, st, layout.Metadata(), doc); err != nil {
				return err
			}
			return repository.RememberBackup(ctx, st, doc, 1<<30)
		})
	}
	if err := group.Wait(); err != nil {
		tb.Fatal(err)
	}
}

// countListed lists all pages, and the requests that took.
func countListed(tb testing.TB, st store.Store) (backups int, requests int64) {
	tb.Helper()
	before := st.Stats().Requests
	listing, err := repository.OpenListing(tb.Context(), st)
	for after := ""; err == nil; {
		var page []repository.BackupEntry
		page, after, err = listing.Page(tb.Context(), after)
		backups += len(page)
		if after == "" {
			break
		}
	}
	if err != nil {
		tb.Fatal(err)
	}
	return backups, st.Stats().Requests - before
}

// A listing takes a request for each thousand names, twice, and reads nothing: also
// keys that carry entries pass through a real store.
func TestListingOnGateway(t *testing.T) {
	st := openGateway(t)
	fill(t, st, 1100)
	if backups, requests := countListed(t, st); backups != 1100 || requests != 4 {
		t.Errorf("%d backups in %d requests", backups, requests)
	}
	if err := repository.ForgetBackup(t.Context(), st, "daily-00007"); err != nil {
		t.Fatal(err)
	}
	if backups, requests := countListed(t, st); backups != 1100 || requests != 5 {
		t.Errorf("one entry less: %d backups in %d requests", backups, requests)
	}
}

// BenchmarkListing lists 10,000 backups, by their entries and by their documents.
func BenchmarkListing(b *testing.B) {
	const backups = 10_000
	st := openGateway(b)
	fill(b, st, backups)
	b.Run("entries", func(b *testing.B) {
		for b.Loop() {
			if n, _ := countListed(b, st); n != backups {
				b.Fatalf("%d backups", n)
			}
		}
	})
	b.Run("documents", func(b *testing.B) {
		for b.Loop() {
			docs, err := repository.ReadBackups(b.Context(), st)
			if err != nil || len(docs) != backups {
				b.Fatalf("%d backups: %v", len(docs), err)
			}
		}
	})
}
