package readthrough

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Result is what was read.
type Result struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
	// Denied is how many files and directories the reader has no right to: they say nothing about
	// the file system.
	Denied int64 `json:"denied,omitempty"`
	// Failed is how many could not be read for any other reason, Errors the first of these reasons.
	Failed int64    `json:"failed,omitempty"`
	Errors []string `json:"errors,omitempty"`
	// Tried is 1 if it was tried to leave the pod's network, Reached is 1 if that went.
	Tried   int64 `json:"tried,omitempty"`
	Reached int64 `json:"reached,omitempty"`
}

const (
	// atOnce is how many files are read at a time: a disk that loads from its snapshot answers each
	// read late, and many at once.
	atOnce = 8
	// told bounds the errors: the message of a pod's end has 4 KiB.
	told = 5
	// longest bounds one of them, in bytes.
	longest = 300
	// buffered is how much of a file is read with one call.
	buffered = 1 << 20
)

// Read reads every file below a directory. What cannot be read is a result; the error is for a
// directory that is not there, and for an end of ctx: then not everything was read. It follows no links out of the directory, and does not mind files
// that go meanwhile.
func Read(ctx context.Context, dir string) (Result, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, err
	}
	if err != nil { // the file system's own directory
		r := &reader{}
		r.fail(".", err)
		return r.result, nil
	}
	defer func() { _ = root.Close() }() // nothing was written
	r := &reader{root: root, buffers: sync.Pool{New: func() any { return new([buffered]byte) }}}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case groupCtx.Err() != nil:
			return groupCtx.Err()
		case err != nil:
			r.fail(path, err)
		case d.Type().IsRegular():
			group.Go(func() error {
				r.readFile(ctx, path)
				return ctx.Err()
			})
		}
		return nil
	})
	return r.result, cmp.Or(group.Wait(), err)
}

// reader counts what its goroutines read.
type reader struct {
	root    *os.Root
	buffers sync.Pool

	mu     sync.Mutex
	result Result
}

func (r *reader) readFile(ctx context.Context, path string) {
	f, err := r.root.Open(path)
	if err != nil {
		r.fail(path, err)
		return
	}
	defer func() { _ = f.Close() }() // nothing was written
	buffer := r.buffers.Get().(*[buffered]byte)
	defer r.buffers.Put(buffer)
	var read int64
	for err == nil && ctx.Err() == nil {
		var n int
		n, err = f.Read(buffer[:])
		read += int64(n)
	}
	switch {
	case err == nil: // the end of ctx: a part is not the file
		return
	case !errors.Is(err, io.EOF):
		r.fail(path, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Files++
	r.result.Bytes += read
}

// lostAndFound is root's own directory on ext4, and empty on a file system that is whole.
const lostAndFound = "lost+found"

func (r *reader) fail(path string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, fs.ErrPermission) && path == lostAndFound:
	case errors.Is(err, fs.ErrPermission):
		r.result.Denied++
	default:
		r.result.Failed++
		if len(r.result.Errors) < told {
			text := fmt.Sprintf("%s: %v", path, err)
			r.result.Errors = append(r.result.Errors, text[:min(len(text), longest)])
		}
	}
}
