package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// testdata/<version> is a backup as that version of the format was first written. It is never
// written again: what it guards is that old backups stay readable.
const goldenVersion = "v" + archive.FormatVersion

func golden(t *testing.T, version string) (*memory, layout.Backup) {
	t.Helper()
	l := layout.Backup{Name: "golden"}
	src := &memory{files: map[string][]byte{}}
	for _, f := range []string{l.Tarball(), l.Index(), l.Manifest(), l.Logs()} {
		b, err := os.ReadFile(filepath.Join("testdata", version, f))
		if err != nil {
			t.Fatal(err)
		}
		src.files[f] = b
	}
	return src, l
}

// LIFEBOAT_WRITE_GOLDEN=1 go test -run TestWriteGolden, for a new format version.
func TestWriteGolden(t *testing.T) {
	if os.Getenv("LIFEBOAT_WRITE_GOLDEN") == "" {
		return
	}
	src := &memory{files: map[string][]byte{}}
	l := seal(t, src, "golden", stage(t, src, tinyLimits(), sample(7)))
	for _, f := range stored(src, l) {
		path := filepath.Join("testdata", goldenVersion, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, src.files[f], 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGoldenBackupStaysReadable(t *testing.T) {
	for version, hasContent := range map[string]bool{"v1.0": false, "v1.1": true} {
		src, l := golden(t, version)
		a, err := archive.Open(t.Context(), src, l)
		if err != nil {
			t.Fatal(version, err)
		}
		if err := a.Verify(t.Context(), nil); err != nil {
			t.Fatal(version, err)
		}
		checkWalk(t, a, sample(7))
		err = a.WalkEntries(t.Context(), 0, len(a.Members()), func(_ int, entries []archive.Entry) error {
			for _, e := range entries {
				if (e.Content != "") != hasContent {
					t.Errorf("%s: content %q of %s", version, e.Content, e.Key)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(version, err)
		}
	}
}

// The compressor may change its output with any release; what is compressed may
// not change without a new format version.
func TestWriterWritesTheGoldenFormat(t *testing.T) {
	old, l := golden(t, goldenVersion)
	now := &memory{files: map[string][]byte{}}
	seal(t, now, "golden", stage(t, now, archive.Limits{MemberObjects: 3, MemberBytes: 64 << 10, ChunkBytes: 2000}, sample(7)))
	if !bytes.Equal(unzip(t, old.files[l.Tarball()]), unzip(t, now.files[l.Tarball()])) {
		t.Error("tar bytes changed")
	}
	if !bytes.Equal(blocks(t, old, l), blocks(t, now, l)) {
		t.Error("index blocks changed")
	}
}

func blocks(t *testing.T, src *memory, l layout.Backup) []byte {
	t.Helper()
	m, err := archive.DecodeManifest("m", src.files[l.Manifest()])
	if err != nil {
		t.Fatal(err)
	}
	return unzip(t, src.files[l.Index()][:m.Directory.Offset])
}

func TestIndependentReader(t *testing.T) {
	for _, version := range []string{"v1.0", "v1.1"} {
		want, i := sample(7), 0
		err := extract(filepath.Join("testdata", version), "golden", func(resource, ns, name string, body []byte) {
			k := want[i].key
			if resource != k.Resource || ns != k.Namespace || name != k.Name || !bytes.Equal(body, want[i].body) {
				t.Errorf("%s: object %d is %s %s/%s %q, want %s", version, i, resource, ns, name, body, k)
			}
			i++
		})
		if err != nil || i != len(want) {
			t.Fatalf("%s: %d of %d objects: %v", version, i, len(want), err)
		}
	}
}
