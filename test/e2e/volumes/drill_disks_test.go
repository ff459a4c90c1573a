//go:build stack

package volumes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// drills is a Lifeboat that runs drills. Without an image nothing reads volumes here.
func (l *lab) drills(t *testing.T, name string) *lab {
	t.Helper()
	return &lab{Lab: l.Beside(t, l.drillOptions(t, name)), ebs: l.ebs, ec2: l.ec2}
}

// drillOptions are those of a Lifeboat that signs the evidence of drills by a key of its own.
func (l *lab) drillOptions(t *testing.T, name string) harness.Options {
	t.Helper()
	key, err := harness.MakeDrillKey(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return harness.Options{Cluster: name, Edit: func(c *config.Config) {
		withVolumes(l.ebs)(c)
		c.Drills.SigningKey = &config.SigningKey{File: key}
	}}
}

const drillText = `
apiVersion: lifeboat-backup.github.io/v1
kind: Drill
metadata: {name: disks}
spec:
  source: {backup: drilled}
  readyTimeout: 5s
  volumeInitializationRate: 200
  targets: {level: L2}
`

// proveDisks runs a drill, which ends with a code, and returns its evidence.
func (l *lab) proveDisks(t *testing.T, code int) evidence.Predicate {
	t.Helper()
	file := filepath.Join(t.TempDir(), "drill.yaml")
	if err := os.WriteFile(file, []byte(drillText), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := l.CLI(t.Context(), "drill", "run", "-f", file, "--wait")
	if err != nil || res.Code != code {
		t.Fatalf("exit %d, want %d: %v\n%s%s", res.Code, code, err, res.Out, res.Err)
	}
	last, err := drills.Last(t.Context(), l.Store, l.Cluster)
	if err != nil || last == nil {
		t.Fatalf("the evidence: %v, %v", last, err)
	}
	return last.Evidence.Statement.Predicate
}

// TestDrillOfDisks: EC2 loads the disks of a copy as fast as the drill says, is looked at when the
// copy has gone, and says of each snapshot what it is of: one of another volume and one that is
// deleted are found before anything is made.
func TestDrillOfDisks(t *testing.T) {
	l := shared.drills(t, "drills")
	ns := l.namespace(t, "drilled")
	for _, claim := range []string{"one", "other"} {
		l.claim(t, ns, claim, "data of "+claim)
		l.bound(t, ns, claim)
	}
	l.backup(t, "drilled", "Completed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: []string{location}})
	disks := l.disks(t, ns, "one", "other")
	snapshots := l.snapshotsOf(t, disks...)
	if len(snapshots) != 2 {
		t.Fatalf("snapshots %+v", snapshots)
	}

	began := time.Now()
	p := l.proveDisks(t, 0)
	calls, err := l.ebs.Audit(t.Context(), "CreateVolume", began)
	if err != nil {
		t.Fatal(err)
	}
	rates := 0
	for _, c := range calls {
		if c.Params["VolumeInitializationRate"] == "200" {
			rates++
		}
	}
	if rates != 2 || p.Measured.InitializationRate != 200 {
		t.Errorf("%d disks were asked for at 200 MiB/s, the evidence says %d", rates, p.Measured.InitializationRate)
	}
	for kind, made := range map[string]evidence.Count{contract.EC2Volumes: 2, contract.EC2Snapshots: 0, "persistentvolumes": 2, "jobs.batch": 0, "volumesnapshotcontents": 0} {
		if !slices.Contains(p.Teardown.LeakScan, evidence.Leak{Type: kind, Made: made}) {
			t.Errorf("%s: want %d made and none left: %+v", kind, made, p.Teardown.LeakScan)
		}
	}
	if l3 := p.Claim.Levels[3]; l3.Checked != 2 || l3.Good != 0 || !strings.Contains(l3.Detail, "drills.image") {
		t.Errorf("L3 of volumes that nobody reads: %+v", l3)
	}

	one, other := snapshots[0], snapshots[1]
	if err := l.ec2.AddTags(t.Context(), []string{one.ID}, map[string]string{ebs.TagPV: other.Tags[ebs.TagPV]}); err != nil {
		t.Fatal(err)
	}
	l.endsAtL0(t, 1, "the ids were mixed up")
	if err := l.ec2.AddTags(t.Context(), []string{one.ID}, map[string]string{ebs.TagPV: one.Tags[ebs.TagPV]}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ec2.DeleteSnapshot(t.Context(), one.ID, map[string]string{ebs.TagBackup: "drilled"}); err != nil {
		t.Fatal(err)
	}
	l.endsAtL0(t, 4, "snapshot "+one.ID)

	l.deleteNamespace(t, ns)
	eventually(t, "the disks are gone", func() error { // other tests count what there is
		found, err := l.ec2.Volumes(t.Context(), disks)
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("%d are there", len(found))
		}
		return err
	})
}

// endsAtL0 wants a drill to end before anything is made, for a cause that says something.
func (l *lab) endsAtL0(t *testing.T, code int, says string) {
	t.Helper()
	began := time.Now()
	p := l.proveDisks(t, code)
	claim, err := json.Marshal(p.Claim)
	if err != nil {
		t.Fatal(err)
	}
	if p.Claim.Level != evidence.L0 || !strings.Contains(string(claim), `"ABORTED"`) || !strings.Contains(string(claim), says) || p.Teardown.Outcome != evidence.TeardownComplete {
		t.Errorf("want L0, ended by %q: %s, %+v", says, claim, p.Teardown)
	}
	if calls, err := l.ebs.Audit(t.Context(), "CreateVolume", began); err != nil || len(calls) > 0 {
		t.Errorf("volumes were made: %v %v", calls, err)
	}
}
