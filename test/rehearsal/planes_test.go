//go:build stack

// Package rehearsal rehearses restores in control planes of the stack's own binaries. It needs
// no running stack.
package rehearsal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
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

// TestVersions: a further API server is found by its version, and one that is of another version
// than the configuration says is refused.
func TestVersions(t *testing.T) {
	root := memoryDirectory(t)
	p := processes(t, root)
	plane, err := p.Start(t.Context(), controlplane.Spec{ServiceRange: "fd00:10:96::/112"})
	if err != nil {
		t.Fatal(err)
	}
	minor := strings.Join(strings.Split(strings.TrimPrefix(plane.Version, "v"), ".")[:2], ".")
	if _, err := plane.Stop(); err != nil {
		t.Error(err)
	}
	p.Others = map[string]string{minor: p.APIServer, "1.99": p.APIServer}
	_, err = p.Start(t.Context(), controlplane.Spec{Version: "1.99"})
	if failure.TypeOf(err) != contract.ErrTypeLocation || !strings.Contains(err.Error(), "rehearsal.versions[1.99]") {
		t.Errorf("another version: %v", err)
	}
	plane, err = p.Start(t.Context(), controlplane.Spec{Version: minor})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plane.Stop(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(root); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
