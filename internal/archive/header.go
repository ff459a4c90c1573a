package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// checkHeader compares the tar header before an entry's body with its key. The
// common header is USTAR; one that does not match byte by byte may be PAX, whose
// path stands in an earlier block, and is then read with all before it.
func checkHeader(member []byte, e Entry) error {
	h := member[e.Offset-blockSize : e.Offset]
	var buf [ustarPref + 1 + ustarName]byte
	path := appendField(buf[:0], h[offPrefix:offPrefix+ustarPref])
	if len(path) > 0 {
		path = append(path, '/')
	}
	path = appendField(path, h[:ustarName])
	var want [256]byte
	if bytes.Equal(path, appendPath(want[:0], e.Key, false)) {
		return nil
	}
	_, found, err := findEntry(member, e.Offset)
	if err != nil {
		return err
	}
	if found != e.Path() {
		return fmt.Errorf("tar entry is %.200q", found)
	}
	return nil
}

// findEntry returns the path of the tar entry whose body begins at off.
func findEntry(member []byte, off int64) (*tar.Header, string, error) {
	in := bytes.NewReader(member)
	t := tar.NewReader(in)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, "", fmt.Errorf("no tar entry at %d", off)
		}
		if err != nil {
			return nil, "", err
		}
		if at := int64(len(member) - in.Len()); at == off {
			return h, h.Name, nil
		} else if at > off {
			return nil, "", fmt.Errorf("no tar entry at %d", off)
		}
	}
}

func appendField(dst, field []byte) []byte {
	if i := bytes.IndexByte(field, 0); i >= 0 {
		field = field[:i]
	}
	return append(dst, field...)
}
