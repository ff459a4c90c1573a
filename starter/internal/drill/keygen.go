package drill

import (
	"errors"
	"fmt"
	"os"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// PublicName is the name of the file with the public key, beside that of the private one.
func PublicName(private string) string { return private + ".pub" }

// MakeKey writes a new key to two files, of which the private one is readable by its owner
// alone. It overwrites neither: evidence that was signed with a lost key stays unprovable.
func MakeKey(private string) (evidence.Digest, error) {
	priv, pub, id, err := evidence.NewKey()
	if err != nil {
		return "", err
	}
	if err := create(PublicName(private), pub, 0o644); err != nil {
		return "", err
	}
	if err := create(private, priv, 0o600); err != nil {
		return "", errors.Join(err, os.Remove(PublicName(private)))
	}
	return id, nil
}

func create(name string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}
