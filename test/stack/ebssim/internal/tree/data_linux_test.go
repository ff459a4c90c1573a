package tree_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/tree"
)

// TestCopyKeepsHoles: the image of a file system is copied whole, for what its data takes.
func TestCopyKeepsHoles(t *testing.T) {
	const size, at, tail = 1 << 30, 600 << 20, 123
	src, dst := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	image, err := os.Create(filepath.Join(src, "image"))
	check(t, err)
	defer image.Close()
	for _, place := range []int64{0, at, size - tail} {
		_, err = image.WriteAt(bytes.Repeat([]byte{7}, tail), place)
		check(t, err)
	}
	copied, err := tree.Copy(src, dst)
	check(t, err)
	info, err := os.Stat(filepath.Join(dst, "image"))
	check(t, err)
	if taken := info.Sys().(*syscall.Stat_t).Blocks * 512; info.Size() != size || taken > 1<<20 || copied > 1<<20 {
		t.Errorf("%d bytes that take %d, %d copied", info.Size(), taken, copied)
	}
	made, err := os.Open(filepath.Join(dst, "image"))
	check(t, err)
	defer made.Close()
	for place, want := range map[int64]byte{0: 7, tail - 1: 7, tail: 0, at - 1: 0, at: 7, size - tail - 1: 0, size - 1: 7} {
		var got [1]byte
		_, err := made.ReadAt(got[:], place)
		check(t, err)
		if got[0] != want {
			t.Errorf("byte %d: %d, want %d", place, got[0], want)
		}
	}
}

// TestCopyIsOfOneMoment: a file whose begin and end are written in turn has both of one time
// in the copy, or the begin is one ahead.
func TestCopyIsOfOneMoment(t *testing.T) {
	const size = 8 << 20
	src := t.TempDir()
	file, err := os.Create(filepath.Join(src, "image"))
	check(t, err)
	defer file.Close()
	_, err = file.WriteAt(bytes.Repeat([]byte{1}, size), 0)
	check(t, err)
	stop, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		for n := byte(2); ; n++ {
			for range 20 { // many short writes, then a rest in which a copy can be made
				_, _ = file.WriteAt([]byte{n}, 0)
				_, _ = file.WriteAt([]byte{n}, size-1)
				time.Sleep(time.Millisecond)
			}
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	defer func() { close(stop); <-ended }()
	for range 5 {
		dst := filepath.Join(t.TempDir(), "copy")
		_, err := tree.Copy(src, dst)
		check(t, err)
		content, err := os.ReadFile(filepath.Join(dst, "image"))
		check(t, err)
		if first, last := content[0], content[size-1]; len(content) != size || first != last && first != last+1 {
			t.Errorf("%d bytes, from %d to %d", len(content), first, last)
		}
	}
}
