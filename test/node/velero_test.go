//go:build stack

package node

import (
	"context"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestRestoreOfVelero restores everywhere what a real Velero backed up by both of its
// paths, hooks included.
func TestRestoreOfVelero(t *testing.T) {
	t.Parallel()
	p := start(t, "theirs")
	p.origin, p.drilled = "unknown", []string{"native"} // Velero's name no cluster
	for path := range paths() {
		v := p.velero(t, path)
		if err := v.Backup(t.Context(), path, "--include-namespaces="+p.namespace, "--snapshot-volumes"); err != nil {
			t.Fatal(err)
		}
		if err := v.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.everywhere(t)
}

// velero is a real Velero that takes one of the paths and shares the proof's bucket.
func (p *proof) velero(t *testing.T, path string) *stack.Velero {
	t.Helper()
	v, err := p.Stack.StartVelero(t.Context(), stack.VeleroOptions{
		QPS: 5000, Prefix: p.options.Prefix, Namespace: "velero-" + p.Cluster, NoCSI: path == "native",
		Args: []string{"--item-operation-sync-frequency=1s", "--backup-sync-period=1s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return v
}
