//go:build stack

package node

import (
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// TestProof loses an application and gets it back with its data, by both paths,
// everywhere.
func TestProof(t *testing.T) {
	t.Parallel()
	p := start(t, "proof")
	p.drilled = []string{"csi", "native"}
	disks := p.disks(t)
	for path, flags := range paths() {
		p.backup(t, path, flags)
	}
	p.everywhere(t)
	for path := range paths() {
		if _, err := p.Run(t.Context(), "backup", "delete", path, "--confirm"); err != nil {
			t.Error(err)
		}
	}
	if left := p.snapshots(t, disks...); len(left) > 0 {
		t.Errorf("snapshots of deleted backups: %+v", left)
	}
}

// TestRestoreByVelero lets a real Velero restore what Lifeboat backed up, by both paths.
func TestRestoreByVelero(t *testing.T) {
	t.Parallel()
	p := start(t, "ours")
	for path, flags := range paths() {
		p.backup(t, path, flags)
	}
	for path := range paths() {
		t.Run(path, func(t *testing.T) {
			namespace := p.namespace + "-" + path
			p.forget(t, namespace)
			v := p.velero(t, path)
			within(t, patience, "velero finds the backup", func() error {
				_, err := v.Get(t.Context(), "backups", path)
				return err
			})
			if err := v.Restore(t.Context(), path, "--from-backup="+path, "--namespace-mappings="+p.namespace+":"+namespace, "--restore-volumes"); err != nil {
				t.Fatal(err)
			}
			restored := p.database.at(p.cluster, namespace)
			restored.awaitReady(t)
			p.ready(t, namespace, "writer")
			p.check(t, restored, p.database.content(t))
		})
	}
}

func (p *proof) backup(t *testing.T, name string, flags []string) {
	t.Helper()
	args := append([]string{"backup", "create", name, "--include-namespaces", p.namespace, "--wait"}, flags...)
	out, err := p.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, " Completed") {
		t.Fatalf("backup %s: %s", name, out)
	}
	if described, err := p.Run(t.Context(), "backup", "describe", name, "--details"); err == nil {
		t.Log(described)
	}
}

// snapshots are those of some volumes that the account lists, whatever their state.
func (c cluster) snapshots(t *testing.T, volumes ...string) []ebssim.SnapshotState {
	t.Helper()
	state, err := c.Stack.EBS.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(state.Snapshots, func(s ebssim.SnapshotState) bool {
		return s.Where != "" || !slices.Contains(volumes, s.VolumeID)
	})
}
