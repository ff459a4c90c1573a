package archive

import (
	"errors"
	"fmt"
)

// Sentinels that callers branch on with errors.Is.
var (
	// ErrNotFound says that no object of that key is in the archive.
	ErrNotFound = errors.New("object not in the archive")
	// ErrCorrupt says that stored bytes are not what was written. Every such
	// error is a *CorruptError that names the place.
	ErrCorrupt = errors.New("archive is corrupt")
	// ErrVersion says that the format version is one this program cannot read.
	ErrVersion = errors.New("unsupported format version")
	// ErrHostile says that a foreign tarball holds what no backup holds: path
	// escapes, links, bombs, bodies that contradict their path.
	ErrHostile = errors.New("archive is hostile")
	// ErrKey says that an object's key cannot be a path in the tarball.
	ErrKey = errors.New("object key not storable")
	// ErrTooLarge says that one object exceeds MaxObjectBytes.
	ErrTooLarge = errors.New("object too large")
)

// NoMember is CorruptError.Member for damage outside any member.
const NoMember = -1

// CorruptError names what is damaged. errors.Is(err, ErrCorrupt) holds.
type CorruptError struct {
	File   string // key of the file, as in package layout
	Member int    // number of the member, or NoMember
	What   string // what contradicts what
	Err    error  // cause, may be nil
}

// Error implements error.
func (e *CorruptError) Error() string {
	s := "corrupt " + e.File
	if e.Member != NoMember {
		s += fmt.Sprintf(" member %d", e.Member)
	}
	s += ": " + e.What
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap makes both the sentinel and the cause visible.
func (e *CorruptError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrCorrupt}
	}
	return []error{ErrCorrupt, e.Err}
}

func corruptError(file string, member int, cause error, format string, args ...any) error {
	return &CorruptError{File: file, Member: member, What: fmt.Sprintf(format, args...), Err: cause}
}

func hostileError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrHostile, fmt.Sprintf(format, args...))
}

// IsDamaged tells of an error that says that what was read is not what was written. It says the
// same whenever it is read again.
func IsDamaged(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrHostile)
}
