//go:build stack

package node

import (
	"sync"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// imported says that the node has the image, once the first test has asked for it.
var imported struct {
	once sync.Once
	err  error
}

// workerImage gives the node the image, with the two programs and nothing else, and returns its
// name.
func workerImage(t *testing.T) string {
	t.Helper()
	b := binaries(t)
	name := harness.Image + ":" + id
	imported.once.Do(func() { imported.err = b.ImportInto(t.Context(), shared, name, t.TempDir()) })
	if imported.err != nil {
		t.Fatal(imported.err)
	}
	return name
}
