//go:build stack

package interop

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// entry is a file in a tarball.
type entry struct {
	path string
	body []byte
}

// tarball reads the tarball of a backup as any program would: gzip and tar of the
// standard library, nothing of ours.
func (p *peers) tarball(t *testing.T, ctx context.Context, backup string) []entry {
	t.Helper()
	return unpack(t, p.get(t, ctx, layout.Backup{Name: backup}.Tarball()))
}

func unpack(t *testing.T, data []byte) []entry {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var all []entry
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("after %d entries: %v", len(all), err)
		}
		body, err := io.ReadAll(tr)
		if err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
		all = append(all, entry{h.Name, body})
	}
	if _, err := io.Copy(io.Discard, zr); err != nil {
		t.Fatal(err)
	}
	return all
}

// pack writes a tarball as Velero does: one gzip member. A path that ends with a
// slash is a directory.
func pack(t *testing.T, entries []entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	for _, e := range entries {
		h := &tar.Header{Name: e.path, Mode: 0o755, Size: int64(len(e.body)), Typeflag: tar.TypeReg}
		if e.path[len(e.path)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func (p *peers) get(t *testing.T, ctx context.Context, key string) []byte {
	t.Helper()
	body, _, err := p.Store.Get(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

// keys lists what lies below a prefix of the bucket.
func (p *peers) keys(t *testing.T, ctx context.Context, prefix string) []string {
	t.Helper()
	var all []string
	err := p.Store.List(ctx, prefix, func(i store.Info) error {
		all = append(all, i.Key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
