package tree

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// The two of lseek(2) that Go has no names for.
const (
	seekData = 3
	seekHole = 4
)

// copyData copies the parts of a file that hold data and leaves the holes between them,
// of which the image of a file system has the most. The kernel turns it into a reflink
// where the file system can. It returns the number of bytes copied.
func copyData(out, in *os.File, size int64) (copied int64, err error) {
	for at := int64(0); ; {
		from, err := in.Seek(at, seekData)
		if errors.Is(err, syscall.ENXIO) { // no data from there to the end
			return copied, out.Truncate(size)
		}
		if err != nil {
			return copied, err
		}
		if at, err = in.Seek(from, seekHole); err != nil {
			return copied, err
		}
		n, err := copyPart(out, in, from, at)
		copied += n
		if err != nil {
			return copied, err
		}
	}
}

func copyPart(out, in *os.File, from, to int64) (int64, error) {
	for _, f := range []*os.File{out, in} {
		if _, err := f.Seek(from, io.SeekStart); err != nil {
			return 0, err
		}
	}
	return io.Copy(out, io.LimitReader(in, to-from))
}
