//go:build stack

package volumes

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestShown describes a backup in Velero's form, with a volume by each path and one that
// was skipped, through the command line and a worker.
func TestShown(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "shown")
	l.claim(t, ns, "data", "first")
	l.claim(t, ns, "logs", "second")
	f := l.forge(t, "shown")
	snap := f.native(ns, "data")
	handle := f.csi(ns, "logs", stack.EBSSnapshotClass)
	f.infos = append(f.infos, volume.Info{PVName: "pv-nfs", PVCName: "shared", PVCNamespace: ns, Skipped: true, SkippedReason: "no snapshotter for it"})
	pv := f.infos[0].PVName
	backup := f.write(true)

	out := l.says(t, "backup", "describe", backup)
	for _, want := range []string{
		"Backup Volumes:\n  Velero-Native Snapshots:", "    " + pv + ":  succeeded, " + snap.ID + ", claim " + ns + "/data\n",
		"    " + ns + "/logs:  succeeded, " + handle + "\n", "  Skipped:\n    " + ns + "/shared:  no snapshotter for it\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	details := strings.Join(strings.Fields(l.says(t, "backup", "describe", backup, "--details")), " ")
	for _, want := range []string{"Snapshot ID: " + snap.ID + " Type: gp3", "Storage Snapshot ID: " + handle + " Snapshot Size (bytes): 2147483648 CSI Driver: ebs.csi.aws.com Result: succeeded"} {
		if !strings.Contains(details, want) {
			t.Errorf("no %q in %s", want, details)
		}
	}
	var doc struct{ Volumes []contract.VolumeSummary }
	if err := json.Unmarshal([]byte(l.says(t, "backup", "describe", backup, "-o", "json")), &doc); err != nil || len(doc.Volumes) != 3 || doc.Volumes[0].Claim != "shared" {
		t.Errorf("%+v, %v", doc, err)
	}
	var cost contract.BackupCost
	if err := json.Unmarshal([]byte(l.says(t, "backup", "cost", backup, "-o", "json")), &cost); err != nil || cost.Snapshots != 2 || cost.SnapshotBytes == 0 || cost.ObjectBytes == 0 {
		t.Errorf("%+v, %v", cost, err)
	}

	old := l.forge(t, "shown-old") // of a Velero without volumeinfo
	old.natives = f.natives
	if out := l.says(t, "backup", "describe", old.write(false)); !strings.Contains(out, "    "+pv+":  succeeded, "+snap.ID+"\n") {
		t.Errorf("old: %s", out)
	}
}

// TestSnapshotLocation asks the worker where snapshots are made and what it may do there.
func TestSnapshotLocation(t *testing.T) {
	t.Parallel()
	l := shared
	if out := l.says(t, "snapshot-location", "get"); out != "NAME       PROVIDER\n"+location+"   aws\n" {
		t.Errorf("get: %s", out)
	}
	if out := l.says(t, "snapshot-location", "get", "-o", "yaml"); !strings.Contains(out, "region: "+l.ebs.Region) || strings.Contains(out, l.ebs.WorkerFile) {
		t.Errorf("get -o yaml: %s", out)
	}
	out := l.says(t, "snapshot-location", "check", location)
	for _, want := range []string{`Snapshot location "` + location + `" (aws, ` + l.ebs.Region + `): Available`, "account " + l.ec2.Account(), "ec2:DescribeSnapshots           yes"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// says runs a command that has to succeed.
func (l *lab) says(t *testing.T, args ...string) string {
	t.Helper()
	out, err := l.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
