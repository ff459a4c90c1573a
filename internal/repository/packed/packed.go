// Package packed decodes the compressed documents of a bucket, which anybody may have written, in
// bounded memory.
package packed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// Bounds of what a compressed document may expand to. A thousandth of it in the bucket would
// otherwise take all of a worker's memory: a list of empty entries needs three bytes for each.
const (
	// MaxBytes bounds a list or results, in bytes: those of 100,000 objects have some 20 MB.
	MaxBytes = 64 << 20
	// mostValues bounds the values, names of fields and brackets of a document that is decoded whole.
	mostValues = 1_000_000
	// mostEntries bounds a list that is decoded entry by entry: AWS lets an account have 100,000
	// snapshots.
	mostEntries = 100_000
)

// Decode decodes a compressed document. One that expands to too much is archive.ErrHostile.
func Decode(packed []byte, doc any) error {
	in, err := unpack(packed)
	if err != nil {
		return err
	}
	if err := countValues(in); err != nil {
		return err
	}
	if in, err = unpack(packed); err != nil {
		return err
	}
	return json.NewDecoder(in).Decode(doc)
}

// DecodeList decodes a compressed list; null is an empty one.
func DecodeList[T any](packed []byte) ([]T, error) {
	in, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(in)
	begin, err := decoder.Token()
	if err != nil || begin == nil {
		return nil, err
	}
	if begin != json.Delim('[') {
		return nil, fmt.Errorf("it is no list, it begins with %v", begin)
	}
	var entries []T
	for decoder.More() {
		if len(entries) == mostEntries {
			return nil, fmt.Errorf("it has more than %d entries: %w", mostEntries, archive.ErrHostile)
		}
		var entry T
		if err := decoder.Decode(&entry); err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	_, err = decoder.Token()
	return entries, err
}

// unpack reads what is packed, up to MaxBytes.
func unpack(packed []byte) (io.Reader, error) {
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return &boundedReader{from: zr, left: MaxBytes}, nil
}

// boundedReader fails where there is more than what was left. It fills what it is given to fill: the
// JSON decoder looks through white space from its beginning after each read, which takes minutes for
// 64 MiB that come in small pieces.
type boundedReader struct {
	from io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("it expands to more than %d bytes: %w", MaxBytes, archive.ErrHostile)
	}
	n, err := io.ReadFull(b.from, p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if n > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // the next read tells the end, or that it was cut off
	}
	return n, err
}

// countValues fails where a document has more than mostValues, or is none.
func countValues(in io.Reader) error {
	decoder := json.NewDecoder(in)
	for n := 0; ; n++ {
		if n > mostValues {
			return fmt.Errorf("it has more than %d values: %w", mostValues, archive.ErrHostile)
		}
		switch _, err := decoder.Token(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
