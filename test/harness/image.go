package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/images"
)

// Image is the name of the image in the values of the chart, without its tag.
const Image = "ghcr.io/lifeboat-backup/lifeboat"

// ImportInto gives a stack's node an image of this name with the two programs and nothing else. Its
// files are made below dir.
func (b Binaries) ImportInto(ctx context.Context, s *stack.Stack, name, dir string) error {
	root := filepath.Join(dir, "root")
	err := os.MkdirAll(root, 0o755)
	for name, path := range map[string]string{"lifeboat": b.CLI, "lifeboat-worker": b.Worker} {
		if err == nil {
			err = copyProgram(path, filepath.Join(root, name))
		}
	}
	archive := filepath.Join(dir, "image.tar")
	if err == nil {
		err = writeImage(archive, name, root)
	}
	if err != nil {
		return fmt.Errorf("make image %s: %w", name, err)
	}
	return s.ImportImage(ctx, archive)
}

func copyProgram(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

func writeImage(archive, name, root string) error {
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	return images.WriteArchive(f, name, root, images.Config{Entrypoint: []string{"/lifeboat-worker"}, User: "65532:65532"})
}
