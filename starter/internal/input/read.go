package input

import (
	"fmt"
	"io"
	"os"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// Source is the manifest that an input starts from.
type Source struct {
	File  string    // "" is an empty input, "-" is standard input
	Stdin io.Reader // what "-" reads
}

// readChanged is the manifest of src, if any, changed by flags.
func readChanged[T any](src Source, decode func(io.Reader) (T, error), changes *Changes[T]) (in T, err error) {
	if src.File != "" {
		if in, err = readManifest(src, decode); err != nil {
			return in, err
		}
	}
	return in, changes.applyTo(&in)
}

func readManifest[T any](src Source, decode func(io.Reader) (T, error)) (T, error) {
	if src.File == "-" {
		in, err := decode(src.Stdin)
		return in, nameFile("standard input", err)
	}
	var none T
	f, err := os.Open(src.File)
	if err != nil {
		return none, fmt.Errorf("-f: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened to read
	in, err := decode(f)
	return in, nameFile(src.File, err)
}

// joinFieldErrors joins field errors into one, nil for none.
func joinFieldErrors(errs []filter.FieldError) error {
	if len(errs) == 0 {
		return nil
	}
	return filter.FieldErrors(errs)
}

// nameFile says in which file an error is.
func nameFile(file string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", file, err)
}
