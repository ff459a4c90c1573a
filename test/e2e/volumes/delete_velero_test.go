//go:build stack

package volumes

import (
	"context"
	"fmt"
	"slices"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// velero is a real one that takes one of the paths and shares the bucket, the cluster
// and the account.
func (l *lab) velero(t *testing.T, path string) *stack.Velero {
	t.Helper()
	v, err := l.Stack.StartVelero(t.Context(), stack.VeleroOptions{
		QPS: 5000, Prefix: l.Cluster, Namespace: l.Config.Namespace, NoCSI: path == "native",
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
	l.kubectl(t, fmt.Sprintf(`{"apiVersion":"velero.io/v1","kind":"VolumeSnapshotLocation","metadata":{"name":%q,"namespace":%q},"spec":{"provider":"aws","config":{"region":%q}}}`,
		location, v.Namespace, l.ebs.Region), "apply", "-f", "-")
	return v
}

// TestDeleteAcross: Lifeboat deletes backups of a real Velero and Velero deletes ours,
// each with all their snapshots and no others.
func TestDeleteAcross(t *testing.T) {
	t.Parallel()
	for path, locations := range paths() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			l := shared.beside(t, "across-"+path)
			ns := l.namespace(t, "across-"+path)
			for _, claim := range []string{"one", "two"} {
				l.claim(t, ns, claim, claim)
			}
			v := l.velero(t, path)
			disks := l.disks(t, ns, "one", "two")
			before := l.snapshots(t, disks)
			theirs, ours := "theirs-"+path+"-"+l.ID, "ours-"+path+"-"+l.ID
			args := []string{"--include-namespaces=" + ns, "--snapshot-volumes"}
			if path == "native" {
				args = append(args, "--volume-snapshot-locations="+location)
			}
			if err := v.Backup(t.Context(), theirs, args...); err != nil {
				t.Fatal(err)
			}
			made := without(l.snapshots(t, disks), before...)
			if len(made) != 2 {
				t.Fatalf("Velero made %v", made)
			}
			l.backup(t, ours, "Completed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: locations})
			if res := l.delete(t, theirs); res.Snapshots != 2 || len(res.Retained) > 0 {
				t.Errorf("%+v", res)
			}
			left := without(l.snapshots(t, disks), before...)
			if len(left) != 2 || slices.Contains(left, made[0]) || slices.Contains(left, made[1]) {
				t.Errorf("left %v; Velero had made %v", left, made)
			}
			eventually(t, "Velero to know "+ours, func() error {
				_, err := v.Get(t.Context(), "backups", ours)
				return err
			})
			if _, err := v.Run(t.Context(), "backup", "delete", ours, "--confirm"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "Velero to delete "+ours, func() error {
				if _, err := v.Get(t.Context(), "backups", ours); err == nil {
					return fmt.Errorf("it is there")
				}
				return nil
			})
			if left := l.snapshots(t, disks); !slices.Equal(left, before) {
				t.Errorf("left %v", without(left, before...))
			}
			l.nothingOf(t, ours)
		})
	}
}
