package readthrough_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/readthrough"
)

// TestRead: every byte of every file is read, links lead nowhere, and what is no file is left.
func TestRead(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	write := func(name string, size int) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(outside, 1000)
	for i := range 20 {
		write(filepath.Join(dir, "a", string(rune('a'+i)), "f"), i)
	}
	write(filepath.Join(dir, "large"), 3<<20+1)
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readthrough.Read(t.Context(), dir)
	if want := int64(3<<20 + 1 + 190); err != nil || got.Files != 21 || got.Bytes != want || got.Denied+got.Failed != 0 {
		t.Errorf("%+v, want 21 files and %d bytes: %v", got, want, err)
	}
	if _, err := readthrough.Read(t.Context(), filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there was read")
	}
}

// TestReaches: what answers is reached, what refuses is not.
func TestReaches(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if !readthrough.Reaches(t.Context(), address, 0) {
		t.Error("what listens is not reached")
	}
	_ = listener.Close()
	late := make(chan net.Listener, 1)
	go func() {
		time.Sleep(10 * time.Millisecond)
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
		}
		late <- l
	}()
	if !readthrough.Reaches(t.Context(), address, 500*time.Millisecond) {
		t.Error("what cannot be reached at first, as from a pod that has just started, is taken for closed")
	}
	_ = (<-late).Close()
	if readthrough.Reaches(t.Context(), address, 0) || readthrough.Reaches(t.Context(), "", 0) {
		t.Error("what does not listen is reached")
	}
}

// TestReadStopped: what was read in part, since the pod was stopped, is not told as the whole.
func TestReadStopped(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "one"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(64<<30), f.Close()); err != nil { // a hole, of which nothing is stored
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if res, err := readthrough.Read(ctx, dir); !errors.Is(err, context.DeadlineExceeded) || res.Files != 0 || res.Bytes != 0 {
		t.Errorf("%+v, %v", res, err)
	}
}
