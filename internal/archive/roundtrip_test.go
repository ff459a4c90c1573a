package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// The tarball must be what any tar and gzip read: both paths of every object,
// next to each other, after metadata/version.
func TestTarballIsAnOrdinaryTarball(t *testing.T) {
	objects := sample(20)
	src, l := newArchive(t, tinyLimits(), objects)
	gz, err := gzip.NewReader(bytes.NewReader(src.files[l.Tarball()]))
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(gz)
	next := func(path string, body []byte) {
		t.Helper()
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || h.Name != path || !bytes.Equal(got, body) {
			t.Fatalf("entry %q %q, want %q %q: %v", h.Name, got, path, body, err)
		}
		if h.Mode != 0o755 || h.Typeflag != tar.TypeReg || !h.ModTime.Equal(when) {
			t.Fatalf("%q: mode %o type %q mtime %s", path, h.Mode, h.Typeflag, h.ModTime)
		}
	}
	next("metadata/version", []byte("1.1.0\n"))
	for _, o := range objects {
		next(o.key.Path(), o.body)
		next(o.key.VersionedPath(), o.body)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the last entry: %v", err)
	}
	if rest, err := io.ReadAll(gz); err != nil || len(rest) > 0 {
		t.Fatalf("after the end of archive: %d bytes, %v", len(rest), err)
	}
}

func TestWalkReturnsWhatWasAdded(t *testing.T) {
	objects := sample(20)
	src, l := newArchive(t, tinyLimits(), objects)
	a, err := archive.Open(t.Context(), src, l)
	if err != nil {
		t.Fatal(err)
	}
	checkWalk(t, a, objects)
	if err := a.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := a.Manifest().Totals.Objects; got != int64(len(objects)) {
		t.Fatalf("%d objects in the manifest, want %d", got, len(objects))
	}
}

func TestStagedChunksReadLikeAnArchive(t *testing.T) {
	objects := sample(20)
	src := &memory{files: map[string][]byte{}}
	refs := stage(t, src, tinyLimits(), objects)
	if len(refs) < 2 {
		t.Fatalf("%d chunks, want several", len(refs))
	}
	stored, err := archive.EncodeChunkRefs(refs)
	if err != nil {
		t.Fatal(err)
	}
	if refs, err = archive.DecodeChunkRefs("list", stored); err != nil {
		t.Fatal(err)
	}
	a, err := archive.OpenStaged(src, refs)
	if err != nil {
		t.Fatal(err)
	}
	checkWalk(t, a, objects)
	if err := a.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

func checkWalk(t *testing.T, a *archive.Archive, objects []object) {
	t.Helper()
	i := 0
	err := a.Walk(t.Context(), 0, len(a.Members()), func(_ int, e archive.Entry, body []byte) error {
		if want := objects[i]; e.Key != want.key || !bytes.Equal(body, want.body) {
			return fmt.Errorf("object %d is %s %q, want %s %q", i, e.Key, body, want.key, want.body)
		}
		i++
		return nil
	})
	if err != nil || i != len(objects) {
		t.Fatalf("walked %d of %d: %v", i, len(objects), err)
	}
	for _, o := range objects {
		body, e, err := a.Read(t.Context(), archive.Key{Resource: o.key.Resource, Namespace: o.key.Namespace, Name: o.key.Name})
		if err != nil || e.Key != o.key || !bytes.Equal(body, o.body) {
			t.Fatalf("read %s: %q, %v", o.key, body, err)
		}
	}
}

func TestLookupOfWhatIsNotThere(t *testing.T) {
	src, l := newArchive(t, tinyLimits(), sample(5))
	a, err := archive.Open(t.Context(), src, l)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []archive.Key{
		{Resource: "secrets", Namespace: "shop", Name: "absent"},
		{Resource: "secrets", Version: "v2", Namespace: "shop", Name: "db"},
		{Resource: "pods", Namespace: "shop", Name: "db"},
		{Resource: "secrets", Name: "db"},
	} {
		if _, _, err := a.Lookup(t.Context(), k); !errors.Is(err, archive.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", k, err)
		}
	}
}

func TestOpenPassesTheSourcesError(t *testing.T) {
	_, err := archive.Open(context.Background(), &memory{}, layout.Backup{Name: "b1"})
	if !errors.Is(err, errAbsent) || errors.Is(err, archive.ErrCorrupt) {
		t.Fatalf("error %v, want the source's", err)
	}
}
