//go:build stack

package volumes

import (
	"slices"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// TestShippedRates: in a cluster whose snapshot controller and sidecar work at the rates of their
// charts, 20 volumes are backed up by the driver. The controller's 5 requests a second set the
// pace, and EC2 is asked whether the snapshots are complete: the sidecar asks ever later.
func TestShippedRates(t *testing.T) {
	t.Parallel()
	cluster := stack.Run(t, stack.Options{Kwok: true, EBS: true, EBSFrom: shared.ebs})
	l := &lab{Lab: shared.On(t, cluster, harness.Options{Cluster: "shipped", Edit: withVolumes(shared.ebs)}), ebs: shared.ebs, ec2: shared.ec2}
	ns := l.namespace(t, "shipped")
	claims := l.manyClaims(t, ns, stack.EBSClassNow)
	began := time.Now()
	l.backup(t, "shipped", "Completed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}})
	t.Logf("%d volumes in %s", len(claims), time.Since(began).Round(100*time.Millisecond))
	for _, disk := range l.disks(t, ns, claims...) {
		made := slices.DeleteFunc(l.snapshotsOf(t, disk), func(s ebssim.SnapshotState) bool { return s.State != "completed" })
		if len(made) != 1 {
			t.Errorf("%s has %d complete snapshots", disk, len(made))
		}
	}
}
