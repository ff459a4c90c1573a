package archive_test

import (
	"bytes"
	"errors"
	"maps"
	"runtime"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// What FuzzArchive damages: a file as it lies in the bucket, or what the digests cover,
// which then fit again.
const (
	inTarball = iota
	inIndex
	inManifest
	inSignedManifest
	inBlock  // of the first member's index
	inMember // the first
	places
)

// damage replaces n bytes at an offset, both taken modulo what there is.
func damage(b []byte, at, n uint32, with []byte) []byte {
	i := int(at) % (len(b) + 1)
	end := i + int(n)%(len(b)-i+1)
	return bytes.Join([][]byte{b[:i], with, b[end:]}, nil)
}

// hurt is a copy of the sample's archive with the damage.
func hurt(t *testing.T, whole *memory, refs []archive.ChunkRef, place uint8, change func([]byte) []byte) (*memory, layout.Backup) {
	src, l := &memory{files: maps.Clone(whole.files)}, layout.Backup{Name: "b1"}
	refs[0].Members = append([]archive.Member{}, refs[0].Members...)
	switch place % places {
	case inTarball:
		src.files[l.Tarball()] = change(src.files[l.Tarball()])
	case inIndex:
		src.files[l.Index()] = change(src.files[l.Index()])
	case inManifest:
		src.files[l.Manifest()] = change(src.files[l.Manifest()])
	case inSignedManifest:
		b := src.files[l.Manifest()]
		src.files[l.Manifest()] = wrap(change(b[len(`{"manifest":`) : len(b)-len(`,"sha256":""}`)-65]))
	case inBlock:
		rewriteBlock(t, src, &refs[0], func(s string) string { return string(change([]byte(s))) })
		l = seal(t, src, "b1", refs)
	case inMember:
		rewriteMember(t, src, &refs[0], func(raw []byte) []byte { return zip(t, change(raw)) })
		l = seal(t, src, "b1", refs)
	}
	return src, l
}

// read walks an archive and returns its objects by path.
func read(t *testing.T, src *memory, l layout.Backup) (map[string]string, error) {
	a, err := archive.Open(t.Context(), src, l)
	if err != nil {
		return nil, err
	}
	got := map[string]string{}
	err = a.Walk(t.Context(), 0, len(a.Members()), func(_ int, e archive.Entry, body []byte) error {
		got[e.Path()] = string(body)
		return nil
	})
	return got, errors.Join(err, a.Verify(t.Context(), nil))
}

// FuzzArchive reads damaged archives. Nothing that is handed out may differ from what
// was stored, whatever lies; what is read without an error is everything.
func FuzzArchive(f *testing.F) {
	const most = 128 << 20 // bytes to allocate: buffers of 8 MiB for data and blocks, several at a time
	objects := sample(2)
	whole := &memory{files: map[string][]byte{}}
	refs := stage(f, whole, tinyLimits(), objects)
	seal(f, whole, "b1", refs)
	want := map[string]string{}
	for _, o := range objects {
		want[o.key.Path()] = string(o.body)
	}
	for place := range uint8(places) {
		f.Add(place, uint32(0), uint32(0), []byte(nil))
		f.Add(place, uint32(70), uint32(1), []byte("9"))
		f.Add(place, uint32(300), uint32(40), []byte(nil))
	}
	f.Add(uint8(inBlock), uint32(0), uint32(400), []byte(`{"r":"secrets","v":"v1","ns":"shop","n":"db","o":512,"s":9223372036854775807,"h":""}`))
	f.Add(uint8(inMember), uint32(0), uint32(0), make([]byte, 1<<20))
	f.Fuzz(func(t *testing.T, place uint8, at, n uint32, with []byte) {
		src, l := hurt(t, whole, append([]archive.ChunkRef{}, refs...), place, func(b []byte) []byte { return damage(b, at, n, with) })
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := read(t, src, l)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > most {
			t.Errorf("%d bytes allocated", used)
		}
		for path, body := range got {
			if want[path] != body {
				t.Errorf("%s is %q", path, body)
			}
		}
		switch {
		case err == nil && len(got) != len(want):
			t.Errorf("%d objects of %d, and no error", len(got), len(want))
		case err != nil && !errors.Is(err, archive.ErrCorrupt) && !errors.Is(err, archive.ErrVersion) && !errors.Is(err, errAbsent):
			t.Error(err)
		}
	})
}
