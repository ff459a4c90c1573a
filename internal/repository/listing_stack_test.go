//go:build stack

package repository_test

import (
	"context"
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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/catalog"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
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
			files := layout.Backup{Name: doc.Name}
			for _, key := range []string{files.Tarball(), files.Manifest()} {
				if err := st.Put(ctx, key, []byte("x"), store.PutOptions{}); err != nil {
					return err
				}
			}
			if err := repository.PutDocument(ctx, st, files.Metadata(), doc); err != nil {
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
	before, listing := st.Stats().Requests, &repository.Listing{Store: st}
	for after := ""; ; {
		page, next, err := listing.Page(tb.Context(), after)
		if err != nil {
			tb.Fatal(err)
		}
		backups += len(page)
		if next == "" {
			return backups, st.Stats().Requests - before
		}
		after = next
	}
}

// A page takes a request for the names, one for the entries, one for what verifications have
// found, and one for each document that it holds an entry against: also keys that carry
// entries pass through a real store.
func TestListingOnGateway(t *testing.T) {
	st := openGateway(t)
	fill(t, st, 1100)
	const pages, unremembered = 2, 3 // the latter: the document, the tarball's size, the new entry
	want := int64(pages * (3 + repository.CheckedPerPage))
	if backups, requests := countListed(t, st); backups != 1100 || requests != want {
		t.Errorf("%d backups in %d requests, want %d", backups, requests, want)
	}
	if err := repository.ForgetBackup(t.Context(), st, "daily-00007"); err != nil {
		t.Fatal(err)
	}
	if backups, requests := countListed(t, st); backups != 1100 || requests != want+unremembered {
		t.Errorf("one entry less: %d backups in %d requests, want %d", backups, requests, want+unremembered)
	}
	if backups, requests := countListed(t, st); backups != 1100 || requests != want {
		t.Errorf("the entry is there again: %d backups in %d requests, want %d", backups, requests, want)
	}
}

// BenchmarkListing lists 10,000 backups: by their entries, as `backup get` does through the
// catalog, and by their documents.
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
	b.Run("catalog", func(b *testing.B) {
		for b.Loop() {
			if n := countRows(b, st); n != backups {
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

// countRows reads the rows of `backup get`, page by page.
func countRows(tb testing.TB, st store.Store) (rows int) {
	tb.Helper()
	cfg := &config.Config{BackupStorageLocations: []velerov1.BackupStorageLocation{{ObjectMeta: metav1.ObjectMeta{Name: "default"}}}}
	reader := &catalog.Reader{Config: cfg, Locations: repository.NewLocations(cfg, func(context.Context, velerov1.BackupStorageLocation) (store.Store, error) {
		return st, nil
	})}
	for in := (contract.ReadInput{Verb: contract.ReadBackups}); ; {
		res, err := reader.Read(tb.Context(), in)
		if err != nil {
			tb.Fatal(err)
		}
		rows += len(res.Backups)
		if res.Continue == "" {
			return rows
		}
		in.Continue = res.Continue
	}
}
