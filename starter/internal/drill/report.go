package drill

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/drill/page"
)

// Read reads one file; with keys its signature is checked, without it may be anybody's.
func Read(name string, keyFiles []string) (content []byte, e evidence.Evidence, err error) {
	if content, err = readFile(name); err != nil {
		return nil, evidence.Evidence{}, err
	}
	if len(keyFiles) == 0 {
		e, err = evidence.Read(content)
	} else {
		keys, keyErr := readKeys(keyFiles)
		if keyErr != nil {
			return nil, evidence.Evidence{}, keyErr
		}
		e, err = evidence.Verify(content, keys)
	}
	if err != nil {
		return nil, evidence.Evidence{}, fmt.Errorf("%s: %w", name, err)
	}
	return content, e, nil
}

// WritePage writes the page of a file of evidence to out, whole or not at all.
func WritePage(out, name string, keyFiles []string) error {
	content, e, err := Read(name, keyFiles)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := page.Render(&text, content, e, page.Options{Verified: len(keyFiles) > 0, File: filepath.Base(name)}); err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+".part-")
	if err != nil {
		return fmt.Errorf("--html: %w", err)
	}
	_, err = part.Write(text.Bytes())
	if err = errors.Join(err, part.Chmod(0o644), part.Close()); err == nil {
		err = os.Rename(part.Name(), out)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("--html: %w", err), os.Remove(part.Name()))
	}
	return nil
}
