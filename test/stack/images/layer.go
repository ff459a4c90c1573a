package images

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeLayer writes everything under root as a layer, with owners, permissions and
// symbolic links, in the order of names. Hard links become files of their own.
func writeLayer(w io.Writer, root string) error {
	out := tar.NewWriter(w)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return err
		}
		return addFile(out, path, name, entry)
	})
	if err != nil {
		return err
	}
	return out.Close()
}

func addFile(out *tar.Writer, path, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(path); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	header.Name = filepath.ToSlash(name)
	if info.IsDir() {
		header.Name += "/"
	}
	header.Uname, header.Gname = "", "" // those of this machine mean nothing in the image
	if err := out.WriteHeader(header); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return copyInto(out, path)
}

func copyInto(out io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(out, f)
	return err
}
