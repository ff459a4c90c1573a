package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// comparer walks the tar entries of one member along its index.
type comparer struct {
	raw []byte
	in  *bytes.Reader
	t   *tar.Reader
	at  int64 // where the entries compared so far end, padding included
}

// checkCopies checks the two copies of an object.
func (c *comparer) checkCopies(e Entry) error {
	plain, off, err := c.nextFile(e.Path())
	if err != nil {
		return err
	}
	if off != e.Offset || int64(len(plain)) != e.Size {
		return fmt.Errorf("body at %d+%d, index says %d+%d", off, len(plain), e.Offset, e.Size)
	}
	if !sameDigest(plain, e.SHA256) {
		return fmt.Errorf("digest of the object differs")
	}
	versioned, _, err := c.nextFile(e.VersionedPath())
	if err != nil {
		return err
	}
	if !bytes.Equal(plain, versioned) {
		return fmt.Errorf("the two copies differ")
	}
	return nil
}

// nextFile reads the next tar entry, which must be a regular file of that path.
func (c *comparer) nextFile(path string) (body []byte, off int64, err error) {
	h, err := c.t.Next()
	if errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("no tar entry %.200q", path)
	}
	if err != nil {
		return nil, 0, err
	}
	if h.Name != path || h.Typeflag != tar.TypeReg {
		return nil, 0, fmt.Errorf("tar entry is %.200q", h.Name)
	}
	off = int64(len(c.raw) - c.in.Len())
	if h.Size > int64(len(c.raw))-off {
		return nil, 0, fmt.Errorf("tar entry of %d bytes ends beyond the member", h.Size)
	}
	c.at = (off + h.Size + blockSize - 1) &^ (blockSize - 1)
	return c.raw[off : off+h.Size], off, nil
}

// checkEnd makes sure that no entry is left.
func (c *comparer) checkEnd() error {
	if c.at != int64(len(c.raw)) {
		return fmt.Errorf("%d bytes are not in the index", int64(len(c.raw))-c.at)
	}
	return nil
}
