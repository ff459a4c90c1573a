//go:build !unix

package tree

import "io/fs"

type inode struct{ dev, ino uint64 }

func own(string, fs.FileInfo) error { return nil }

func pipe(string, fs.FileInfo) error { return nil }

func (c *copier) linked(fs.FileInfo, string) (string, bool) { return "", false }
