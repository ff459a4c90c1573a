// Package tree copies directory trees as a block-level snapshot would keep them:
// files, directories, symbolic and hard links, pipes, modes, owners and times.
// Sockets are left out, as they mean nothing without their listener. Extended
// attributes are not kept, and holes in sparse files on Linux alone.
package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Copy makes dst a copy of src and returns the number of bytes in its files.
// dst must not exist; what was copied before an error is removed.
func Copy(src, dst string) (bytes int64, err error) {
	c := copier{links: map[inode]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("copy %s: %w", src, err), os.RemoveAll(dst))
		}
	}()
	info, err := os.Lstat(src)
	if err == nil {
		err = c.dir(src, dst, info)
	}
	return c.bytes, err
}

type copier struct {
	bytes int64
	links map[inode]string
}

// dir gives a directory its mode and times last: before, its entries could not be
// written, or would change the times.
func (c *copier) dir(src, dst string, info fs.FileInfo) error {
	if err := os.Mkdir(dst, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(src)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := c.run(filepath.Join(src, entry.Name()), filepath.Join(dst, entry.Name())); err != nil {
			return err
		}
	}
	return finish(dst, info)
}

// run copies one entry. One that vanished meanwhile is no error: a live volume
// has files that come and go.
func (c *copier) run(src, dst string) error {
	info, err := os.Lstat(src)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return c.dir(src, dst, info)
	case info.Mode()&fs.ModeSymlink != 0:
		return symlink(src, dst, info)
	case info.Mode()&fs.ModeNamedPipe != 0:
		return pipe(dst, info)
	case info.Mode().IsRegular():
		return c.file(src, dst, info)
	}
	return nil
}

func symlink(src, dst string, info fs.FileInfo) error {
	target, err := os.Readlink(src)
	if err != nil {
		return err
	}
	if err := os.Symlink(target, dst); err != nil {
		return err
	}
	return own(dst, info)
}

func (c *copier) file(src, dst string, info fs.FileInfo) error {
	if first, ok := c.linked(info, dst); ok {
		return os.Link(first, dst)
	}
	in, err := os.Open(src)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	info, err = c.content(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	return finish(dst, info)
}

// settleTimeout is how long a file may go on changing. The kernel writes what a
// process has left it to write within half a minute, most of it within seconds.
const settleTimeout = 30 * time.Second

// content copies what a file holds at one moment, and says what the file was then: one
// that was written to meanwhile is copied again. Where a file is the image of a file
// system, the kernel writes to it when it likes, also while all processes stand still.
// Nothing makes it write: what it keeps in memory is in no snapshot of EBS either.
func (c *copier) content(out, in *os.File) (fs.FileInfo, error) {
	for end := time.Now().Add(settleTimeout); ; time.Sleep(10 * time.Millisecond) {
		before, err := in.Stat()
		if err != nil {
			return nil, err
		}
		n, err := copyData(out, in, before.Size())
		if err != nil {
			return nil, err
		}
		after, err := in.Stat()
		if err != nil {
			return nil, err
		}
		if after.ModTime().Equal(before.ModTime()) {
			c.bytes += n
			return before, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%s is written to all the time", in.Name())
		}
		if err := out.Truncate(0); err != nil {
			return nil, err
		}
	}
}

// finish sets what an entry has beside content. The owner first: changing it
// clears set-uid bits.
func finish(path string, info fs.FileInfo) error {
	if err := own(path, info); err != nil {
		return err
	}
	if err := os.Chmod(path, info.Mode()); err != nil {
		return err
	}
	return os.Chtimes(path, info.ModTime(), info.ModTime())
}
