package tree_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/tree"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCopyKeepsWhatATreeIs(t *testing.T) {
	src, dst := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	old := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
	check(t, os.MkdirAll(filepath.Join(src, "closed", "deep"), 0o755))
	check(t, os.WriteFile(filepath.Join(src, "closed", "deep", "file"), []byte("content"), 0o640))
	check(t, os.Link(filepath.Join(src, "closed", "deep", "file"), filepath.Join(src, "same")))
	check(t, os.Symlink("../nowhere", filepath.Join(src, "link")))
	check(t, os.WriteFile(filepath.Join(src, "setuid"), nil, 0o755))
	check(t, os.Chmod(filepath.Join(src, "setuid"), 0o755|fs.ModeSetuid))
	check(t, os.Chtimes(filepath.Join(src, "same"), old, old))
	check(t, os.Chtimes(filepath.Join(src, "closed"), old, old))
	check(t, os.Chmod(filepath.Join(src, "closed"), 0o500))
	defer os.Chmod(filepath.Join(src, "closed"), 0o700)
	defer os.Chmod(filepath.Join(dst, "closed"), 0o700)
	bytes, err := tree.Copy(src, dst)
	check(t, err)
	if bytes != int64(len("content")) {
		t.Errorf("%d bytes: a file with two names counts once", bytes)
	}
	for _, name := range []string{"closed", "closed/deep/file", "same", "setuid"} {
		a, err := os.Lstat(filepath.Join(src, name))
		check(t, err)
		b, err := os.Lstat(filepath.Join(dst, name))
		check(t, err)
		if a.Mode() != b.Mode() || !a.ModTime().Equal(b.ModTime()) {
			t.Errorf("%s: %s %s, want %s %s", name, b.Mode(), b.ModTime(), a.Mode(), a.ModTime())
		}
	}
	if target, err := os.Readlink(filepath.Join(dst, "link")); err != nil || target != "../nowhere" {
		t.Errorf("link: %q, %v", target, err)
	}
	sameFile(t, filepath.Join(dst, "same"), filepath.Join(dst, "closed", "deep", "file"), filepath.Join(src, "same"))
}

// sameFile: the two names in the copy are one file, and not the original.
func sameFile(t *testing.T, one, two, original string) {
	t.Helper()
	a, err := os.Stat(one)
	check(t, err)
	b, err := os.Stat(two)
	check(t, err)
	c, err := os.Stat(original)
	check(t, err)
	if !os.SameFile(a, b) || os.SameFile(a, c) {
		t.Error("hard links are not kept")
	}
	if text, err := os.ReadFile(two); err != nil || string(text) != "content" {
		t.Errorf("content %q, %v", text, err)
	}
}

func TestCopyFailsCleanly(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "copy")
	if _, err := tree.Copy(filepath.Join(t.TempDir(), "none"), dst); err == nil {
		t.Fatal("a tree that is not there was copied")
	}
	if _, err := os.Stat(dst); !os.IsNotExist(err) {
		t.Fatalf("something is left: %v", err)
	}
}
