package harness

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// Rehearsals are in control planes of the stack's own programs, when somebody asks for one.
func Rehearsals() (config.Rehearsal, error) {
	r := config.Rehearsal{After: config.RehearseNever}
	var err error
	if r.APIServer, err = stack.Binary("kube-apiserver"); err == nil {
		r.Etcd, err = stack.Binary("etcd")
	}
	return r, err
}

// MakeDrillKey makes a key that signs the evidence of drills, in a directory, and returns its path.
// The public key is beside it, with .pub behind the name.
func MakeDrillKey(dir string) (string, error) {
	private, public, _, err := evidence.NewKey()
	path := filepath.Join(dir, "drills.key")
	for name, content := range map[string][]byte{path: private, path + ".pub": public} {
		if err == nil {
			err = os.WriteFile(name, content, 0o600)
		}
	}
	if err != nil {
		return "", fmt.Errorf("make a key for drills: %w", err)
	}
	return path, nil
}
