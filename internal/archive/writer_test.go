package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

func TestWriterKeepsItsLimits(t *testing.T) {
	l := archive.Limits{MemberObjects: 10, MemberBytes: 20 << 10, ChunkBytes: 3000}
	objects := sample(200)
	big := makeObject("configmaps", "v1", "shop", "big", strings.Repeat("b", 64<<10))
	objects = append(objects, big, makeObject("configmaps", "v1", "shop", "after", ""))
	src := &memory{files: map[string][]byte{}}
	refs := stage(t, src, l, objects)
	n := 0
	for i, ref := range refs {
		if ref.DataSize < l.ChunkBytes*5/8 && i < len(refs)-1 {
			t.Errorf("chunk %d has %d bytes", i, ref.DataSize)
		}
		for _, m := range ref.Members {
			n += m.Objects
			alone := m.Objects == 1
			if m.Objects > l.MemberObjects || (m.RawSize > l.MemberBytes && !alone) {
				t.Errorf("member of %d objects and %d bytes", m.Objects, m.RawSize)
			}
		}
	}
	if n != len(objects) {
		t.Errorf("%d objects, want %d", n, len(objects))
	}
}

// TestWriterMemory: objects that do not compress do not double the buffer of a chunk.
func TestWriterMemory(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{2 << 10, 200 << 10, 1 << 20, 1400 << 10} {
		body := make([]byte, size)
		for i := range body {
			body[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[rnd.IntN(64)]
		}
		most, least := 0, 1<<30
		w := archive.NewWriter(archive.DefaultLimits(), when, func(c archive.Chunk) error {
			most, least = max(most, cap(c.Staged)), min(least, len(c.Data))
			return nil
		})
		for i := range 40 << 20 / size {
			if err := w.Add(archive.Key{Resource: "secrets", Version: "v1", Namespace: "n", Name: fmt.Sprint("s-", i)}, body); err != nil {
				t.Fatal(err)
			}
		}
		if most > 10<<20 || least < 5<<20 {
			t.Errorf("objects of %d bytes: a buffer of %d bytes, a chunk of %d", size, most, least)
		}
	}
}

// TestWritersTogether: eight exports at once, of objects that do not compress, leave the worker room below
// its memory limit of 160 MiB for what each reads, some 4 MiB, and for the rest.
func TestWritersTogether(t *testing.T) {
	const together, perWriter, most = 8, 50, 112 << 20
	rnd, body := rand.New(rand.NewPCG(1, 2)), make([]byte, 200<<10)
	for i := range body {
		body[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[rnd.IntN(64)]
	}
	before, highest, chunks := liveHeap(), uint64(0), 0
	var writers []*archive.Writer
	for range together {
		writers = append(writers, archive.NewWriter(archive.DefaultLimits(), when, func(archive.Chunk) error { chunks++; return nil }))
	}
	for i := range perWriter {
		for _, w := range writers {
			if err := w.Add(archive.Key{Resource: "secrets", Version: "v1", Namespace: "n", Name: fmt.Sprint("s-", i)}, body); err != nil {
				t.Fatal(err)
			}
		}
		highest = max(highest, liveHeap()-before)
	}
	if highest > most || highest < together<<20 || chunks == 0 {
		t.Errorf("%d writers hold %d MiB, want at most %d; %d chunks", together, highest>>20, most>>20, chunks)
	}
	runtime.KeepAlive(writers)
}

// liveHeap is what is in use, in bytes.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestWriterIsDeterministic(t *testing.T) {
	a, l := newArchive(t, tinyLimits(), sample(50))
	b, _ := newArchive(t, tinyLimits(), sample(50))
	for _, f := range stored(a, l) {
		if !bytes.Equal(a.files[f], b.files[f]) {
			t.Errorf("%s differs between two runs", f)
		}
	}
}

func TestWriterRefusesAnObjectAndGoesOn(t *testing.T) {
	chunks := 0
	w := archive.NewWriter(tinyLimits(), when, func(c archive.Chunk) error {
		chunks += c.Objects()
		return nil
	})
	good := sample(0)[1]
	if err := w.Add(archive.Key{Resource: "pods", Version: "v1", Name: "a/b"}, nil); !errors.Is(err, archive.ErrKey) {
		t.Error(err)
	}
	if err := w.Add(good.key, make([]byte, archive.MaxObjectBytes+1)); !errors.Is(err, archive.ErrTooLarge) || !strings.Contains(err.Error(), good.key.String()) {
		t.Error(err)
	}
	if err := errors.Join(w.Add(good.key, good.body), w.Flush(), w.Flush()); err != nil || chunks != 1 {
		t.Errorf("%d objects, %v", chunks, err)
	}
}

func TestWriterStopsAfterAFailedEmit(t *testing.T) {
	cause := errors.New("store is down")
	calls := 0
	w := archive.NewWriter(tinyLimits(), when, func(archive.Chunk) error { calls++; return cause })
	o := sample(0)[1]
	if err := errors.Join(w.Add(o.key, o.body), w.Flush()); !errors.Is(err, cause) {
		t.Fatal(err)
	}
	for _, err := range []error{w.Add(o.key, o.body), w.Flush()} {
		if !errors.Is(err, cause) {
			t.Error(err)
		}
	}
	if calls != 1 {
		t.Errorf("emit called %d times", calls)
	}
}

func TestLargestObjectIsReadBack(t *testing.T) {
	o := makeObject("configmaps", "v1", "shop", "largest", "")
	o.body = append(o.body, bytes.Repeat([]byte(" "), archive.MaxObjectBytes-len(o.body))...)
	src, l := newArchive(t, archive.DefaultLimits(), []object{o})
	if err := verify(t.Context(), src, l); err != nil {
		t.Fatal(err)
	}
}

// USTAR's split into prefix and name has many edges: every length is tried.
func TestPathsOfEveryLength(t *testing.T) {
	var objects []object
	for n := 1; n <= 253; n += 3 {
		for _, ns := range []string{"", "n", strings.Repeat("s", 63)} {
			objects = append(objects, makeObject("widgets.example.com", "v1", ns, strings.Repeat("x", n), ""))
		}
	}
	src, l := newArchive(t, archive.DefaultLimits(), objects)
	if err := verify(t.Context(), src, l); err != nil {
		t.Fatal(err)
	}
	got, _, err := recut(t, bytes.NewReader(src.files[l.Tarball()]), archive.DefaultHostileLimits())
	if err != nil || !same(got, objects) {
		t.Fatal(err, len(got))
	}
}

func TestAssembleRefusesChunksWithGaps(t *testing.T) {
	src := &memory{files: map[string][]byte{}}
	for name, change := range map[string]func(*archive.ChunkRef){
		"no key":     func(c *archive.ChunkRef) { c.Key = "" },
		"no members": func(c *archive.ChunkRef) { c.Members = nil },
		"data":       func(c *archive.ChunkRef) { c.DataSize++ },
		"blocks":     func(c *archive.ChunkRef) { c.BlocksSize-- },
		"order":      func(c *archive.ChunkRef) { c.Members[0], c.Members[1] = c.Members[1], c.Members[0] },
		"digest":     func(c *archive.ChunkRef) { c.Members[0].SHA256 = "x" },
		"raw size":   func(c *archive.ChunkRef) { c.Members[0].RawSize = 1 << 40 },
	} {
		refs := stage(t, src, archive.Limits{MemberObjects: 2, MemberBytes: 1 << 20, ChunkBytes: 1 << 20}, sample(9))
		change(&refs[0])
		if _, err := archive.Assemble(refs, when); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := archive.OpenStaged(src, refs); err == nil {
			t.Errorf("%s: no error on reading", name)
		}
	}
}

func TestEmptyBackup(t *testing.T) {
	src, l := newArchive(t, archive.DefaultLimits(), nil)
	if err := verify(t.Context(), src, l); err != nil {
		t.Fatal(err)
	}
}
