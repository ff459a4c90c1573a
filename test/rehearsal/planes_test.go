//go:build stack

// Package rehearsal rehearses restores in control planes of the stack's own binaries. It needs
// no running stack.
package rehearsal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane/controlplanetest"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// processes are the provider of the stack's binaries, whose files lie below root.
func processes(t *testing.T, root string) *controlplane.Processes {
	t.Helper()
	p := &controlplane.Processes{Root: root}
	for name, path := range map[string]*string{"kube-apiserver": &p.APIServer, "etcd": &p.Etcd} {
		var err error
		if *path, err = stack.Binary(name); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// memoryDirectory is a directory in memory, where there is any.
func memoryDirectory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "lifeboat-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestProcesses is the suite of providers.
func TestProcesses(t *testing.T) {
	controlplanetest.Run(t, func(t *testing.T) (controlplane.Provider, func() []string) {
		root := memoryDirectory(t)
		return processes(t, root), func() []string {
			left, _ := filepath.Glob(filepath.Join(root, "*"))
			return left
		}
	})
}
