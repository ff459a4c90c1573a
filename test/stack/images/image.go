package images

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Names of the images, as Pods name them. They are full names: a short one would
// be completed with the name of a registry and looked for there.
const (
	Busybox  = "docker.io/library/busybox:1.35"
	Postgres = "lifeboat.test/postgres:15"
)

// Image is one image and how its root file system is made.
type Image struct {
	Name   string // as Pods name it
	Config Config
	recipe string // changes when the result would
	fill   func(ctx context.Context, progress io.Writer, root string) error
}

// Config is what a container of the image runs unless its Pod says otherwise.
type Config struct {
	Entrypoint []string `json:"Entrypoint,omitempty"`
	Cmd        []string `json:"Cmd,omitempty"`
	Env        []string `json:"Env,omitempty"`
	User       string   `json:"User,omitempty"`
	WorkingDir string   `json:"WorkingDir,omitempty"`
}

// All lists every image of the node.
func All() []Image { return []Image{busybox(), postgres()} }

// File names the archive of the image after all that decides it, so that a changed
// recipe builds a new one beside the old.
func (i Image) File() string {
	sum := sha256.Sum256(fmt.Append(nil, i.Name, i.recipe, i.Config, runtime.GOARCH))
	return fmt.Sprintf("%s-%x.tar", tag(i.Name), sum[:6])
}

// Build makes the image and writes its archive to path. It needs root, for files
// keep their owners, and a folder beside path for the time it takes.
func (i Image) Build(ctx context.Context, progress io.Writer, path string) error {
	work, err := os.MkdirTemp(filepath.Dir(path), "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	root := filepath.Join(work, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	if err := i.fill(ctx, progress, root); err != nil {
		return fmt.Errorf("fill image %s: %w", i.Name, err)
	}
	if err := i.write(path, root); err != nil {
		return fmt.Errorf("write image %s: %w", i.Name, err)
	}
	return nil
}

func (i Image) write(path, root string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := WriteArchive(f, i.Name, root, i.Config); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
