//go:build stack

package node

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack/images"
)

// chartImage is the name of the image in the values of the chart.
const chartImage = "ghcr.io/lifeboat-backup/lifeboat"

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
	name := chartImage + ":" + id
	imported.once.Do(func() { imported.err = importImage(t.Context(), name, t.TempDir(), b) })
	if imported.err != nil {
		t.Fatal(imported.err)
	}
	return name
}

func importImage(ctx context.Context, name, dir string, b harness.Binaries) error {
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	for name, path := range map[string]string{"lifeboat": b.CLI, "lifeboat-worker": b.Worker} {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, name), data, 0o755); err != nil {
			return err
		}
	}
	archive := filepath.Join(dir, "image.tar")
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := images.WriteArchive(f, name, root, images.Config{Entrypoint: []string{"/lifeboat-worker"}, User: "65532:65532"}); err != nil {
		return err
	}
	return shared.ImportImage(ctx, archive)
}
