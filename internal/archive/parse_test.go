package archive

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

func packed(t testing.TB, objects int) (refs []ChunkRef, lines []byte) {
	t.Helper()
	w := NewWriter(DefaultLimits(), time.Time{}, func(c Chunk) error {
		refs = append(refs, c.Ref("key"))
		var err error
		lines, err = newArchive(nil, layout.Backup{}).gunzipMember(c.Blocks, maxBlockBytes, nil)
		return err
	})
	for i := range objects {
		if err := w.Add(Key{Resource: "pods", Version: "v1", Namespace: "a", Name: strings.Repeat("p", i+1)}, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return refs, lines
}

func TestParseBlockRefuses(t *testing.T) {
	refs, lines := packed(t, 3)
	m := refs[0].Members[0]
	if _, err := parseBlock(lines, m); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string][2]string{
		"bodies that overlap":  {`"o":2560`, `"o":512`},
		"headers that overlap": {`"o":512`, `"o":0`},
		"unaligned":            {`"o":512`, `"o":513`},
		"outside the spans":    {`"n":"p"`, `"n":"q"`},
		"upper-case digest":    {`"h":"4`, `"h":"A`},
	} {
		bad := strings.Replace(string(lines), r[0], r[1], 1)
		if bad == string(lines) {
			t.Fatalf("%s: block lacks %s:\n%s", name, r[0], lines)
		}
		if entries, err := parseBlock([]byte(bad), m); err == nil {
			t.Errorf("%s: %+v", name, entries)
		}
	}
}

func BenchmarkHeader(b *testing.B) {
	path := []byte("resources/configmaps/v1-preferredversion/namespaces/shop/settings-000001.json")
	h := newHeaders(time.Unix(1_770_000_000, 0))
	for name, write := range map[string]func([]byte) ([]byte, error){
		"own": func(dst []byte) ([]byte, error) { return h.appendHeader(dst, path, 1500) },
		"tar": func(dst []byte) ([]byte, error) { return h.appendPAX(dst, string(path), 1500) },
	} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := write(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Whatever of a block is accepted must lie within its member and its spans.
func FuzzParseBlock(f *testing.F) {
	refs, lines := packed(f, 3)
	m := refs[0].Members[0]
	f.Add(lines)
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := parseBlock(raw, m)
		if err != nil {
			return
		}
		if len(entries) != m.Objects {
			t.Fatalf("%d entries", len(entries))
		}
		for _, e := range entries {
			if e.Validate() != nil || !mayHold(m.Spans, e.Key) || e.Offset < blockSize || e.Offset+e.Size > m.RawSize {
				t.Fatalf("accepted %+v", e)
			}
		}
	})
}

// Whatever directory is accepted must be without gaps and within bounds.
func FuzzParseDirectory(f *testing.F) {
	refs, _ := packed(f, 3)
	good, err := json.Marshal(Directory{FormatVersion: FormatVersion, Members: refs[0].Members})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"formatVersion":"1.0","members":[{"size":1,"rawSize":512}]}`))
	if _, ok := cutDirectory(string(good)); !ok {
		f.Fatal("a directory as it is written is not cut")
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if cut, ok := cutDirectory(string(raw)); ok {
			if want, err := unmarshalDirectory(raw); err != nil || !reflect.DeepEqual(cut, want) {
				t.Fatalf("cut to %+v, want %+v, %v", cut, want, err)
			}
		}
		d, err := parseDirectory(raw)
		if err != nil {
			return
		}
		end := int64(0)
		for _, m := range d.Members {
			if m.Offset != end || m.Size <= 0 || m.Size > MaxMemberBytes || m.RawSize > MaxMemberBytes || m.Index.Size > maxBlockBytes {
				t.Fatalf("accepted %+v", m)
			}
			end += m.Size
		}
	})
}

// Whatever chunk list is accepted can be opened.
func FuzzParseChunkRefs(f *testing.F) {
	refs, _ := packed(f, 3)
	good, err := json.Marshal(stagedDoc{FormatVersion: FormatVersion, Chunks: refs})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, raw []byte) {
		refs, err := parseChunkRefs("list", raw)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatal(err)
			}
			return
		}
		if _, err := OpenStaged(nil, refs); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzParseLine: the fast path must agree with encoding/json on all it accepts.
func FuzzParseLine(f *testing.F) {
	f.Add(`{"r":"pods","v":"v1","ns":"a","n":"p","o":512,"s":10,"h":"00"}`)
	f.Add(`{"r":"nodes","v":"v1","n":"p","o":0,"s":010,"h":""}`)
	f.Add(`{"r":"pods","v":"v1","n":"p","o":-1,"s":1e3,"h":"","x":1}`)
	f.Fuzz(func(t *testing.T, line string) {
		fast, ok := cutLine(line)
		if !ok {
			return
		}
		for i := range len(line) {
			if line[i] < 0x20 || line[i] >= 0x80 {
				return // JSON forbids or replaces these; Key.Validate refuses what matters
			}
		}
		var slow entryLine
		if err := json.Unmarshal([]byte(line), &slow); err != nil || slow != fast {
			t.Fatalf("%q: %+v, encoding/json: %+v %v", line, fast, slow, err)
		}
	})
}

func TestAppendEntryEscapes(t *testing.T) {
	for _, name := range []string{"plain", `quo"te`, "ümläut", "a<b>&c"} {
		k := Key{Resource: "pods", Version: "v1", Namespace: "n", Name: name}
		line := appendEntry(nil, k, 512, 10, make([]byte, 32), make([]byte, 16))
		l, err := parseLine(string(line[:len(line)-1]))
		if err != nil || l.Name != name || l.Offset != 512 || l.Size != 10 {
			t.Errorf("%q: %+v %v", name, l, err)
		}
	}
}

// TestIsHex tries every byte.
func TestIsHex(t *testing.T) {
	for c := range 256 {
		want := strings.IndexByte("0123456789abcdef", byte(c)) >= 0
		if isHex("0a"+string([]byte{byte(c)}), 3) != want || isHex(string([]byte{byte(c)})+"f9", 3) != want {
			t.Errorf("%#x", c)
		}
	}
	if isHex("ab", 3) || isHex("abcd", 3) || !isHex("", 0) {
		t.Error("the length does not count")
	}
}
