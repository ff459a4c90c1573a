package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

var (
	when      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errAbsent = errors.New("no such file")
)

// memory is a Source over byte slices that counts what is read.
type memory struct {
	files map[string][]byte
	mu    sync.Mutex // guards the counters
	reads int
	bytes int64
}

func (s *memory) ReadRange(_ context.Context, file string, off, n int64) (io.ReadCloser, error) {
	b, ok := s.files[file]
	if !ok {
		return nil, fmt.Errorf("%s: %w", file, errAbsent)
	}
	b = b[min(off, int64(len(b))):]
	if n >= 0 && n < int64(len(b)) {
		b = b[:n]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	s.bytes += int64(len(b))
	return io.NopCloser(bytes.NewReader(b)), nil
}

type object struct {
	key  archive.Key
	body []byte
}

func makeObject(resource, version, ns, name, data string) object {
	body := fmt.Sprintf(`{"apiVersion":%q,"kind":"X","metadata":{"name":%q`, version, name)
	if ns != "" {
		body += fmt.Sprintf(`,"namespace":%q`, ns)
	}
	body += fmt.Sprintf(`},"data":{"x":%q}}`, data)
	return object{archive.Key{Resource: resource, Version: version, Namespace: ns, Name: name}, []byte(body)}
}

// stage packs objects and stores the chunks in the source, as activities do.
func stage(t testing.TB, src *memory, l archive.Limits, objects []object) []archive.ChunkRef {
	t.Helper()
	var refs []archive.ChunkRef
	w := archive.NewWriter(l, when, func(c archive.Chunk) error {
		key := fmt.Sprintf("%s%d", layout.Staging("uid"), len(refs))
		src.files[key] = bytes.Clone(c.Staged)
		refs = append(refs, c.Ref(key))
		return nil
	})
	for _, o := range objects {
		if err := w.Add(o.key, o.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return refs
}

// seal composes tarball, index and manifest, as activities do.
func seal(t testing.TB, src *memory, name string, refs []archive.ChunkRef) layout.Backup {
	t.Helper()
	l := layout.Backup{Name: name}
	a, err := archive.Assemble(refs, when)
	if err != nil {
		t.Fatal(err)
	}
	src.files[l.Tarball()] = compose(t, src, a.Tarball)
	src.files[l.Index()] = compose(t, src, a.Index)
	src.files[l.Logs()] = []byte("log")
	m, err := archive.EncodeManifest(archive.Manifest{
		Backup: name, UID: "uid", Cluster: "test", Created: when,
		Files:     append(a.Files(l), archive.NewFile(l.Logs(), src.files[l.Logs()])),
		Directory: a.Directory, Totals: a.Totals,
	})
	if err != nil {
		t.Fatal(err)
	}
	src.files[l.Manifest()] = m
	return l
}

func compose(t testing.TB, src *memory, segs []archive.Segment) []byte {
	t.Helper()
	var out []byte
	for _, s := range segs {
		if s.Key == "" {
			out = append(out, s.Inline...)
			continue
		}
		out = append(out, src.files[s.Key][s.Offset:s.Offset+s.Size]...)
	}
	return out
}

func tinyLimits() archive.Limits {
	return archive.Limits{MemberObjects: 3, MemberBytes: 64 << 10, ChunkBytes: 2000}
}

func sample(n int) []object {
	var out []object
	for i := range n {
		out = append(out, makeObject("configmaps", "v1", "shop", fmt.Sprintf("cm-%05d", i), fmt.Sprint("data", i)))
	}
	return append(out,
		makeObject("clusterroles.rbac.authorization.k8s.io", "v1", "", "system:controller:x", "a"),
		makeObject("secrets", "v1", "shop", "db", "secret"),
		makeObject("widgets.example.com", "v1beta1", "shop", "ümläut", "non-ASCII path"),
		makeObject("secrets", "v1", "shop", "name-that-fits-no-ustar-header-"+string(bytes.Repeat([]byte("n"), 200)), "pax"),
	)
}

func newArchive(t testing.TB, l archive.Limits, objects []object) (*memory, layout.Backup) {
	t.Helper()
	src := &memory{files: map[string][]byte{}}
	return src, seal(t, src, "b1", stage(t, src, l, objects))
}
