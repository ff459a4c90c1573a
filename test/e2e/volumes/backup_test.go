//go:build stack

package volumes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// paths are the two ways of a volume and what a spec says to take them.
func paths() map[string][]string { return map[string][]string{"csi": nil, "native": {location}} }

func (l *lab) startBackup(t *testing.T, name string, spec velerov1.BackupSpec) client.WorkflowRun {
	t.Helper()
	run, err := l.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: contract.BackupID(l.Cluster, name), TaskQueue: contract.TaskQueue(l.Cluster),
	}, contract.BackupWorkflow, contract.BackupInput{Name: name, Labels: map[string]string{"team": "books"}, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// backup takes one and fails the test unless it ends in the phase.
func (l *lab) backup(t *testing.T, name, phase string, spec velerov1.BackupSpec) contract.BackupResult {
	t.Helper()
	var res contract.BackupResult
	if err := l.startBackup(t, name, spec).Get(t.Context(), &res); err != nil {
		t.Fatal(err)
	}
	if res.Phase != phase {
		t.Fatalf("%s: %q", res.Phase, res.Reasons)
	}
	return res
}

// snapshotsOf are those of some volumes that the account holds, in any state.
func (l *lab) snapshotsOf(t *testing.T, volumes ...string) []ebssim.SnapshotState {
	t.Helper()
	state, err := l.ebs.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []ebssim.SnapshotState
	for _, s := range state.Snapshots {
		for _, v := range volumes {
			if s.VolumeID == v && s.Where == "" {
				out = append(out, s)
			}
		}
	}
	return out
}

// leftInCluster fails the test if objects of snapshots are left.
func (l *lab) leftInCluster(t *testing.T, ns string) {
	t.Helper()
	eventually(t, "snapshot objects are gone", func() error {
		if left := l.List(t, volumeSnapshots, ns, ""); len(left) > 0 {
			return fmt.Errorf("left: %s", harness.Names(left))
		}
		left := slices.DeleteFunc(l.List(t, snapshotContents, "", ""), func(o map[string]any) bool {
			return textAt(o, "spec", "volumeSnapshotRef", "namespace") != ns
		})
		if len(left) > 0 {
			return fmt.Errorf("left: %s", harness.Names(left))
		}
		return nil
	})
}

// TestBackupAndBack takes two volumes, loses them, and gets them back as they were,
// by both paths; deleted, the backup leaves nothing in the account.
func TestBackupAndBack(t *testing.T) {
	t.Parallel()
	l := shared
	for path, locations := range paths() {
		t.Run(path, func(t *testing.T) {
			ns := l.namespace(t, "round-"+path)
			l.claim(t, ns, "data", "first")
			l.claim(t, ns, "logs", "second")
			disks := []string{l.disk(t, ns, "data"), l.disk(t, ns, "logs")}
			name := "round-" + path + "-" + l.ID
			res := l.backup(t, name, "Completed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: locations})
			if res.Volumes != 2 || res.Warnings > 0 {
				t.Errorf("%+v", res)
			}
			taken := l.snapshotsOf(t, disks...)
			if len(taken) != 2 {
				t.Fatalf("%d snapshots", len(taken))
			}
			for _, s := range taken {
				if s.Tags[ebs.TagBackup] != name || cmp.Or(s.Tags[ebs.TagBackupUID], s.Tags[ebs.TagDriverBackupUID]) != res.UID || s.Tags[ebs.TagCluster] != l.Cluster || s.Tags[ebs.TagPlace] == "" ||
					s.Tags["team"] != "books" || path == "native" != (s.Tags[ebs.TagPV] != "") || s.State != "completed" {
					t.Errorf("%+v", s)
				}
			}
			l.leftInCluster(t, ns)
			l.checkVerified(t, name)
			for _, claim := range []string{"data", "logs"} {
				if err := writeFile(l.file(t, ns, claim), "changed"); err != nil {
					t.Fatal(err)
				}
			}
			l.deleteNamespace(t, ns)
			l.restore(t, input(name, name, ns, nil))
			if got := l.content(t, ns, "data") + l.content(t, ns, "logs"); got != "firstsecond" {
				t.Errorf("read %q", got)
			}
			if _, err := l.Run(t.Context(), "backup", "delete", name, "--confirm"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "snapshots are gone", func() error {
				if left := l.snapshotsOf(t, disks...); len(left) > 0 {
					return fmt.Errorf("%+v", left)
				}
				return nil
			})
		})
	}
}

// TestSkippedVolumes: a volume that is left out is recorded with its reason, warned of
// unless the user left it out.
func TestSkippedVolumes(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "skipped")
	l.claim(t, ns, "data", "x")
	off := false
	res := l.backup(t, "skipped-"+l.ID, "Completed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}, SnapshotVolumes: &off})
	if res.Volumes != 0 || res.Warnings != 0 || len(l.snapshotsOf(t, l.disk(t, ns, "data"))) != 0 {
		t.Errorf("%+v", res)
	}
	out, err := l.Run(t.Context(), "backup", "describe", "skipped-"+l.ID, "--details")
	if err != nil || !strings.Contains(out, "snapshotVolumes: false") {
		t.Errorf("%v\n%s", err, out)
	}
}

// checkVerified verifies a backup with two volumes: its snapshots are found, and blocks of them
// read.
func (l *lab) checkVerified(t *testing.T, name string) {
	t.Helper()
	if out, err := l.Run(t.Context(), "backup", "verify", name, "--wait"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := l.Run(t.Context(), "backup", "describe", name)
	if err != nil || !strings.Contains(out, "Snapshots found:") || !strings.Contains(out, "Blocks read of them:") || strings.Contains(out, "Not checked:") {
		t.Errorf("%v: %s", err, out)
	}
}
