package fetch

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Save writes a file and has it checked on the way: check reads it to its end. n is its size.
// The file takes its name only when it is complete, and is readable by its owner alone.
func Save(file string, r io.Reader, check func(io.Reader) error) (n int64, err error) {
	// CreateTemp makes it mode 0600: it holds Secrets.
	part, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".part-")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, part.Close(), os.Remove(part.Name()))
		}
	}()
	count := &byteCounter{w: part}
	if err := check(io.TeeReader(r, count)); err != nil {
		return 0, err
	}
	if err := part.Sync(); err != nil {
		return 0, err
	}
	if err := part.Close(); err != nil {
		return 0, err
	}
	return count.n, os.Rename(part.Name(), file)
}

// CheckGzip reads r to its end and checks the sum of every member. It does not see that whole
// members are missing.
func CheckGzip(r io.Reader) error {
	unpacked, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("not a gzip file: %w", err)
	}
	if _, err := io.Copy(io.Discard, unpacked); err != nil { //nolint:gosec // discarded, so a bomb costs time only
		return fmt.Errorf("the file arrived damaged or cut off: %w", err)
	}
	return nil
}

type byteCounter struct {
	w io.Writer
	n int64
}

func (c *byteCounter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
