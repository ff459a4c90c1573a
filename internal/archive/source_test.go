package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// broken is a Source whose connection breaks after some bytes of a file.
type broken struct {
	*memory
	file  string
	after int64
	cause error
}

func (b broken) ReadRange(ctx context.Context, file string, off, n int64) (io.ReadCloser, error) {
	r, err := b.memory.ReadRange(ctx, file, off, n)
	if err != nil || file != b.file {
		return r, err
	}
	return io.NopCloser(io.MultiReader(io.LimitReader(r, b.after), iotest.ErrReader(b.cause))), nil
}

// A connection that breaks must be retried, so it may not look like damage.
func TestBrokenConnectionIsNotCorruption(t *testing.T) {
	src, l := newArchive(t, tinyLimits(), sample(4))
	for _, cause := range []error{errors.New("reset"), io.ErrUnexpectedEOF} {
		for _, file := range stored(src, l) {
			for after := range int64(40) {
				err := verify(t.Context(), broken{src, file, after, cause}, l)
				if !errors.Is(err, cause) || errors.Is(err, archive.ErrCorrupt) {
					t.Fatalf("%s after %d: %v", file, after, err)
				}
			}
		}
	}
}

func TestWalkStopsWhenCancelledOrToldTo(t *testing.T) {
	src, l := newArchive(t, tinyLimits(), sample(20))
	a, err := archive.Open(t.Context(), src, l)
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	n := 0
	err = a.Walk(t.Context(), 0, len(a.Members()), func(int, archive.Entry, []byte) error { n++; return stop })
	if err != stop || n != 1 {
		t.Errorf("%d calls, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = a.Walk(ctx, 0, len(a.Members()), func(int, archive.Entry, []byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, r := range [][2]int{{-1, 1}, {0, 1000}, {3, 2}} {
		if err := a.Walk(t.Context(), r[0], r[1], nil); err == nil {
			t.Errorf("members %v: no error", r)
		}
	}
}

func TestParallelReaders(t *testing.T) {
	objects := sample(60)
	src, l := newArchive(t, tinyLimits(), objects)
	a, err := archive.Open(t.Context(), src, l)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			i := 0
			err := a.Walk(t.Context(), 0, len(a.Members()), func(_ int, _ archive.Entry, body []byte) error {
				if !bytes.Equal(body, objects[i].body) {
					return errors.New("another body")
				}
				i++
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if _, _, err := a.Read(t.Context(), objects[3].key); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// The figure promised for single objects: under 1% of a 50,000-object tarball,
// in four range reads.
func TestOneObjectCostsLittle(t *testing.T) {
	objects := benchObjects(50_000)
	src, l := newArchive(t, archive.DefaultLimits(), objects)
	src.reads, src.bytes = 0, 0
	a, err := archive.Open(t.Context(), src, l)
	if err != nil {
		t.Fatal(err)
	}
	o := objects[31_415]
	body, _, err := a.Read(t.Context(), o.key)
	if err != nil || !bytes.Equal(body, o.body) {
		t.Fatal(err)
	}
	share := 100 * float64(src.bytes) / float64(len(src.files[l.Tarball()]))
	if share >= 1 || src.reads != 4 {
		t.Errorf("%d bytes, %.2f%% of the tarball, in %d reads", src.bytes, share, src.reads)
	}
	t.Logf("%d bytes, %.2f%% of %d, in %d reads", src.bytes, share, len(src.files[l.Tarball()]), src.reads)
}
