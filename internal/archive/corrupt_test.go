package archive_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// verify is what the VerifyBackup activity does.
func verify(ctx context.Context, src archive.Source, l layout.Backup) error {
	a, err := archive.Open(ctx, src, l)
	if err != nil {
		return err
	}
	return a.Verify(ctx, nil)
}

func stored(src *memory, l layout.Backup) []string {
	var out []string
	for f := range src.files {
		if strings.HasPrefix(f, layout.BackupDir(l.Name)) {
			out = append(out, f)
		}
	}
	slices.Sort(out)
	return out
}

// damaged runs check with the file's bytes replaced, and demands an error that
// is ErrCorrupt and names the file.
func damaged(t *testing.T, src *memory, l layout.Backup, file string, bad []byte, what string, at int) {
	t.Helper()
	good := src.files[file]
	src.files[file] = bad
	err := verify(t.Context(), src, l)
	src.files[file] = good
	var c *archive.CorruptError
	if !errors.As(err, &c) || !errors.Is(err, archive.ErrCorrupt) || c.File != file {
		t.Fatalf("%s %s at %d: %v", file, what, at, err)
	}
}

func TestEveryBitFlipIsDetectedAndNamed(t *testing.T) {
	src, l := newArchive(t, archive.Limits{MemberObjects: 1, MemberBytes: 4096, ChunkBytes: 100}, sample(2)[:2])
	files := stored(src, l)
	if len(files) != 4 {
		t.Fatalf("files %v", files)
	}
	for _, file := range files {
		bad := bytes.Clone(src.files[file])
		for i := range bad {
			for bit := range 8 {
				bad[i] ^= 1 << bit
				damaged(t, src, l, file, bad, "bit flip", i*8+bit)
				bad[i] ^= 1 << bit
			}
		}
	}
}

func TestEveryTruncationAndExtensionIsDetectedAndNamed(t *testing.T) {
	src, l := newArchive(t, tinyLimits(), sample(2)[:4])
	for _, file := range stored(src, l) {
		good := src.files[file]
		for n := range good {
			damaged(t, src, l, file, good[:n], "truncation", n)
		}
		for _, more := range []string{"\x00", "\n", "more", string(good)} {
			damaged(t, src, l, file, append(bytes.Clone(good), more...), "extension", len(good))
		}
	}
}

// A restore does not verify first: Walk itself must not hand out a wrong byte.
func TestWalkDetectsEveryDamagedMember(t *testing.T) {
	src, l := newArchive(t, tinyLimits(), sample(4))
	a, err := archive.Open(t.Context(), src, l)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{l.Tarball(), l.Index()} {
		end := len(src.files[file])
		if file == l.Index() {
			end = int(a.Manifest().Directory.Offset) // the directory was read by Open
		}
		bad := bytes.Clone(src.files[file])
		good := src.files[file]
		src.files[file] = bad
		for i := range end {
			bad[i] ^= 0x10
			err := a.Walk(t.Context(), 0, len(a.Members()), func(int, archive.Entry, []byte) error { return nil })
			if !errors.Is(err, archive.ErrCorrupt) {
				t.Fatalf("%s byte %d: %v", file, i, err)
			}
			bad[i] ^= 0x10
		}
		src.files[file] = good
	}
}

func TestMissingFileIsTheSourcesError(t *testing.T) {
	src, l := newArchive(t, tinyLimits(), sample(2))
	for _, file := range stored(src, l) {
		good := src.files[file]
		delete(src.files, file)
		if err := verify(t.Context(), src, l); !errors.Is(err, errAbsent) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", file, err)
		}
		src.files[file] = good
	}
}
