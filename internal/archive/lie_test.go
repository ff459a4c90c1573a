package archive_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// rewriteBlock changes the index block of the first member of a staged chunk and
// makes all digests fit again: an index that lies consistently.
func rewriteBlock(t *testing.T, src *memory, ref *archive.ChunkRef, change func(string) string) {
	t.Helper()
	staged := src.files[ref.Key]
	m := &ref.Members[0]
	block := staged[ref.DataSize : ref.DataSize+m.Index.Size]
	lie := zip(t, []byte(change(string(unzip(t, block)))))
	src.files[ref.Key] = bytes.Join([][]byte{staged[:ref.DataSize], lie, staged[ref.DataSize+m.Index.Size:]}, nil)
	grown := int64(len(lie)) - m.Index.Size
	m.Index.Size, m.Index.SHA256 = int64(len(lie)), archive.Digest(lie)
	for i := 1; i < len(ref.Members); i++ {
		ref.Members[i].Index.Offset += grown
	}
	ref.BlocksSize += grown
}

// rewriteMember does the same to the first member itself.
func rewriteMember(t *testing.T, src *memory, ref *archive.ChunkRef, change func(raw []byte) (member []byte)) {
	t.Helper()
	staged := src.files[ref.Key]
	m := &ref.Members[0]
	lie := change(unzip(t, staged[:m.Size]))
	src.files[ref.Key] = append(bytes.Clone(lie), staged[m.Size:]...)
	grown := int64(len(lie)) - m.Size
	m.Size, m.SHA256 = int64(len(lie)), archive.Digest(lie)
	for i := 1; i < len(ref.Members); i++ {
		ref.Members[i].Offset += grown
	}
	ref.DataSize += grown
}

func TestAMemberThatLiesIsDetected(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"second copy differs":  func(raw []byte) []byte { raw[1536+40] ^= 1; return zip(t, raw) },
		"second path differs":  func(raw []byte) []byte { raw[1024+20] ^= 1; return zip(t, raw) },
		"bytes after the gzip": func(raw []byte) []byte { return append(zip(t, raw), "more"...) },
		"another gzip member":  func(raw []byte) []byte { return append(zip(t, raw), zip(t, raw)...) },
		"shorter than it says": func(raw []byte) []byte { return zip(t, raw[:len(raw)-512]) },
		"longer than it says":  func(raw []byte) []byte { return zip(t, append(raw, make([]byte, 512)...)) },
		"gzip without its sum": func(raw []byte) []byte { b := zip(t, raw); return b[:len(b)-8] },
		"not gzip":             func(raw []byte) []byte { return raw },
	} {
		src := &memory{files: map[string][]byte{}}
		refs := stage(t, src, tinyLimits(), sample(9))
		rewriteMember(t, src, &refs[0], change)
		l := seal(t, src, "b1", refs)
		if err := verify(t.Context(), src, l); !errors.Is(err, archive.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.HasPrefix(name, "second ") {
			continue // no reader uses the second copy; only Verify compares it
		}
		a, err := archive.Open(t.Context(), src, l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.ReadMember(t.Context(), 1); !errors.Is(err, archive.ErrCorrupt) {
			t.Errorf("%s: ReadMember: %v", name, err)
		}
	}
}

func TestAManifestThatLiesIsDetected(t *testing.T) {
	src, l := newArchive(t, tinyLimits(), sample(9))
	other := archive.Digest([]byte("other"))
	for name, change := range map[string]func(*archive.Manifest){
		"objects":          func(m *archive.Manifest) { m.Totals.Objects++ },
		"raw bytes":        func(m *archive.Manifest) { m.Totals.RawBytes-- },
		"tarball size":     func(m *archive.Manifest) { m.Files[0].Size++ },
		"tarball digest":   func(m *archive.Manifest) { m.Files[0].TreeSHA256 = other },
		"index digest":     func(m *archive.Manifest) { m.Files[1].TreeSHA256 = other },
		"log digest":       func(m *archive.Manifest) { m.Files[2].SHA256 = other },
		"log size":         func(m *archive.Manifest) { m.Files[2].Size-- },
		"directory digest": func(m *archive.Manifest) { m.Directory.SHA256 = other },
		"directory offset": func(m *archive.Manifest) { m.Directory.Offset++; m.Directory.Size-- },
		"another backup": func(m *archive.Manifest) {
			m.Backup = "b"
			for i := range m.Files {
				m.Files[i].Name = "b" + strings.TrimPrefix(m.Files[i].Name, "b1")
			}
		},
	} {
		m, err := archive.DecodeManifest("m", src.files[l.Manifest()])
		if err != nil {
			t.Fatal(err)
		}
		change(&m)
		b, err := archive.EncodeManifest(m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lied := &memory{files: maps.Clone(src.files)}
		lied.files[l.Manifest()] = b
		if err := verify(t.Context(), lied, l); !errors.Is(err, archive.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManifestsThatAreRefused(t *testing.T) {
	src, l := newArchive(t, tinyLimits(), sample(3))
	for name, change := range map[string]func(*archive.Manifest){
		"name":             func(m *archive.Manifest) { m.Backup = "../b" },
		"file escapes":     func(m *archive.Manifest) { m.Files[2].Name = "b1/../../x" },
		"file of another":  func(m *archive.Manifest) { m.Files[2].Name = "x" },
		"file twice":       func(m *archive.Manifest) { m.Files[2].Name = m.Files[1].Name },
		"itself":           func(m *archive.Manifest) { m.Files[2].Name = "b1-lifeboat-manifest.json" },
		"negative size":    func(m *archive.Manifest) { m.Files[2].Size = -1 },
		"no digest":        func(m *archive.Manifest) { m.Files[2].SHA256 = "" },
		"both digests":     func(m *archive.Manifest) { m.Files[0].SHA256 = m.Files[0].TreeSHA256 },
		"tree of a log":    func(m *archive.Manifest) { m.Files[2].TreeSHA256, m.Files[2].SHA256 = m.Files[2].SHA256, "" },
		"no tarball":       func(m *archive.Manifest) { m.Files = m.Files[1:] },
		"no index":         func(m *archive.Manifest) { m.Files = append(m.Files[:1:1], m.Files[2:]...) },
		"directory beyond": func(m *archive.Manifest) { m.Directory.Size++ },
	} {
		m, err := archive.DecodeManifest("m", src.files[l.Manifest()])
		if err != nil {
			t.Fatal(err)
		}
		change(&m)
		if _, err := archive.EncodeManifest(m); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestVersionsOfTheFormat(t *testing.T) {
	src, l := newArchive(t, tinyLimits(), sample(3))
	good := src.files[l.Manifest()]
	body := string(good[len(`{"manifest":`) : len(good)-len(`,"sha256":""}`)-65])
	for v, want := range map[string]error{"1.0": nil, "1.1": nil, "1.7": nil, "2.0": archive.ErrVersion, "0.9": archive.ErrVersion, "1": archive.ErrVersion, "1.x": archive.ErrVersion, "": archive.ErrVersion} {
		changed := strings.Replace(body, `"formatVersion": "1.1"`, `"formatVersion": "`+v+`", "later": {}`, 1)
		if changed == body {
			t.Fatal("no formatVersion")
		}
		if _, err := archive.DecodeManifest("m", wrap([]byte(changed))); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", v, err, want)
		}
	}
}

func zip(t testing.TB, raw []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func unzip(t testing.TB, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAnIndexThatLiesIsDetected(t *testing.T) {
	replace := func(old, new string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("index block lacks %s: %s", old, s)
			}
			return strings.Replace(s, old, new, 1)
		}
	}
	for name, change := range map[string]func(string) string{
		"offset of the second copy": replace(`"o":512`, `"o":1536`),
		"offset beyond":             replace(`"o":512`, `"o":1048576`),
		"offset negative":           replace(`"o":512`, `"o":-512`),
		"offset overflows":          replace(`"o":512`, `"o":9223372036854775296`),
		"size too small":            replace(`"s":101`, `"s":100`),
		"size too large":            replace(`"s":101`, `"s":102`),
		"size negative":             replace(`"s":101`, `"s":-1`),
		"size of a bomb":            replace(`"s":101`, `"s":9223372036854775807`),
		"digest":                    replace(`"h":"`, `"h":"0000`),
		"digest of another": func(s string) string {
			return strings.Replace(s, s[strings.Index(s, `"h"`):strings.Index(s, "}")], `"h":"`+archive.Digest(nil)+`"`, 1)
		},
		"key within the span":  replace(`cm-00001`, `cm-0000a`),
		"key outside the span": replace(`cm-00001`, `zz-00001`),
		"key escapes":          replace(`cm-00001`, `../cm-001`),
		"namespace":            replace(`"ns":"shop"`, `"ns":"shoq"`),
		"version":              replace(`"v":"v1"`, `"v":"v2"`),
		"resource":             replace(`configmaps`, `secrets`),
		"entry missing":        func(s string) string { return s[strings.Index(s, "\n")+1:] },
		"entry twice":          func(s string) string { return s[:strings.Index(s, "\n")+1] + s },
		"not JSON":             replace(`"h"`, `h`),
		"cut off":              func(s string) string { return s[:len(s)-1] },
		"empty":                func(string) string { return "" },
	} {
		src := &memory{files: map[string][]byte{}}
		refs := stage(t, src, tinyLimits(), sample(9))
		rewriteBlock(t, src, &refs[0], change)
		l := seal(t, src, "b1", refs)
		if err := verify(t.Context(), src, l); !errors.Is(err, archive.ErrCorrupt) {
			t.Errorf("%s: verify: %v", name, err)
		}
		if name == "version" {
			continue // Walk compares the plain path only, which has no version
		}
		a, err := archive.Open(t.Context(), src, l)
		if err == nil {
			err = a.Walk(t.Context(), 0, len(a.Members()), func(int, archive.Entry, []byte) error { return nil })
		}
		if !errors.Is(err, archive.ErrCorrupt) {
			t.Errorf("%s: walk: %v", name, err)
		}
	}
}

func TestTarEntriesThatTheIndexHidesAreDetected(t *testing.T) {
	src := &memory{files: map[string][]byte{}}
	refs := stage(t, src, tinyLimits(), sample(9))
	rewriteBlock(t, src, &refs[0], func(s string) string { return s[:strings.Index(s, "\n")+1] })
	refs[0].Members[0].Objects = 1
	if err := verify(t.Context(), src, seal(t, src, "b1", refs)); !errors.Is(err, archive.ErrCorrupt) {
		t.Fatal(err)
	}
}

// A member that claims to be small and is not must cost no more than its claim.
func TestMemberBombIsStopped(t *testing.T) {
	src := &memory{files: map[string][]byte{}}
	refs := stage(t, src, tinyLimits(), sample(9)[:3])
	bomb := zip(t, make([]byte, 20<<20))
	staged := src.files[refs[0].Key]
	m := &refs[0].Members[0]
	src.files[refs[0].Key] = append(bytes.Clone(bomb), staged[refs[0].DataSize:]...)
	m.Size, m.SHA256, refs[0].DataSize = int64(len(bomb)), archive.Digest(bomb), int64(len(bomb))
	l := seal(t, src, "b1", refs)
	a, err := archive.Open(t.Context(), src, l)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := a.ReadMember(t.Context(), 1); !errors.Is(err, archive.ErrCorrupt) {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
}
