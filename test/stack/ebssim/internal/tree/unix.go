//go:build unix

package tree

import (
	"io/fs"
	"os"
	"syscall"
)

type inode struct{ dev, ino uint64 }

// own gives an entry its owner, which only root can.
func own(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, int(stat.Uid), int(stat.Gid))
}

func pipe(dst string, info fs.FileInfo) error {
	if err := syscall.Mkfifo(dst, 0o600); err != nil {
		return &fs.PathError{Op: "mkfifo", Path: dst, Err: err}
	}
	return finish(dst, info)
}

// linked is where a file with several names was copied to first. The first time
// it remembers dst.
func (c *copier) linked(info fs.FileInfo, dst string) (string, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Nlink < 2 {
		return "", false
	}
	key := inode{dev: uint64(stat.Dev), ino: stat.Ino} //nolint:unconvert // other systems have other widths
	if first, ok := c.links[key]; ok {
		return first, true
	}
	c.links[key] = dst
	return "", false
}
