package volumetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// RestoreWorld is a provider that has a snapshot of each volume of one backup, and the
// cluster that they are restored to, seen from outside of the driver.
type RestoreWorld interface {
	// Plan is what a restore hands to Check: the volumes, as Restores makes them, and what
	// the driver may look at.
	Plan() ([]*volume.Restore, volume.View)
	// Restorer makes the driver of a restore anew, as each activity does.
	Restorer(run volume.RestoreRun) volume.Restorer
	// Made are the volumes that the driver of a restore has made something for, in
	// ascending order, once for each thing that is there.
	Made(run volume.RestoreRun) []int
	// LoseReply lets the next thing be made and its maker hear nothing of it.
	LoseReply()
	// DeleteSnapshot lets the snapshot of a volume vanish.
	DeleteSnapshot(index int)
	// Use restores the objects of a volume: those that its claim needs and, where a disk
	// was made for it, the PersistentVolume that points at the disk.
	Use(v *volume.Restore, disk volume.Disk, objects []volume.Object)
}

// RestoreFactory runs a test in a RestoreWorld in which nothing was restored yet. The test runs
// in virtual time (testing/synctest) or in real time.
type RestoreFactory func(t *testing.T, test func(*testing.T, RestoreWorld))

// RunRestorer tests how a driver restores. Each test has a world of its own.
func RunRestorer(t *testing.T, in RestoreFactory) {
	for name, test := range map[string]func(*testing.T, RestoreWorld){
		"check writes nothing":           testCheckWritesNothing,
		"check of a lost snapshot":       testCheckSnapshotGone,
		"provision":                      testProvision,
		"provision again":                testProvisionAgain,
		"provision after a lost reply":   testProvisionLostReply,
		"provision of a lost snapshot":   testProvisionSnapshotGone,
		"sweep what is unused":           testSweepUnused,
		"sweep what is unrecorded":       testSweepUnrecorded,
		"sweep of one restore only":      testSweepOther,
		"sweep before anything was made": testSweepNothing,
		"claim objects":                  testClaimObjects,
	} {
		t.Run(name, func(t *testing.T) { in(t, test) })
	}
}

// RestoreNamespace is where the claims of a RestoreWorld were and are restored to.
const RestoreNamespace = "shop"

// Restores are the volumes of a RestoreWorld, whose data a method brings back: pv-0 of
// claim-0 and so on.
func Restores(m volume.Method) []*volume.Restore {
	var all []*volume.Restore
	for i := range Volumes {
		all = append(all, &volume.Restore{
			PV: fmt.Sprint("pv-", i), Namespace: RestoreNamespace, Claim: fmt.Sprint("claim-", i), Target: RestoreNamespace,
			Disposition: volume.ProvisionBy(m), Selected: true, Capacity: 1 << 30,
		})
	}
	return all
}

// restoreOf is a restore that is identified by a word.
func restoreOf(word string) volume.RestoreRun {
	return volume.RestoreRun{UID: "uid-" + word, Name: word, Backup: "b", Cluster: "c", OperationTimeout: time.Hour}
}

// checkAll plans the restore of all volumes, as far as the first write of an object.
func checkAll(t *testing.T, w RestoreWorld, run volume.RestoreRun) ([]*volume.Restore, volume.Findings) {
	t.Helper()
	all, view := w.Plan()
	found, err := w.Restorer(run).Check(t.Context(), all, view)
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	if len(found.Refusals) > 0 {
		return all, found
	}
	probed, err := w.Restorer(run).Probe(t.Context(), all)
	if err != nil {
		t.Fatalf("probe: %v", err)
	}
	found.Add(probed)
	return all, found
}

// planAll is checkAll of a restore that nothing is in the way of.
func planAll(t *testing.T, w RestoreWorld, run volume.RestoreRun) []*volume.Restore {
	t.Helper()
	all, found := checkAll(t, w, run)
	if len(found.Refusals)+len(found.Reasons) > 0 {
		t.Fatalf("a sound restore: %+v", found)
	}
	return all
}

// provision has the disks made until none is pending, each time by a new driver. made is
// what is recorded already. Attempts may fail, but not for ever.
func provision(t *testing.T, w RestoreWorld, run volume.RestoreRun, all []*volume.Restore, made map[string]volume.Disk) map[string]volume.Disk {
	t.Helper()
	for end := time.Now().Add(soon); ; time.Sleep(lookPause) {
		ledger := volume.NewLedger(made, func() {})
		err := w.Restorer(run).Provision(t.Context(), all, ledger)
		if err == nil && pendingDisks(all, ledger.Disks()) == 0 {
			return ledger.Disks()
		}
		if time.Now().After(end) {
			t.Fatalf("not all provisioned within %s: %v, %+v", soon, err, ledger.Disks())
		}
	}
}

func pendingDisks(all []*volume.Restore, made map[string]volume.Disk) int {
	n := 0
	for _, v := range all {
		if d := made[v.PV]; v.NeedsDisk() && (!d.IsSettled() || d.IsPending()) {
			n++
		}
	}
	return n
}

// problemOf is what is wrong with the data of a volume once the restore has waited for it,
// "" for nothing.
func problemOf(t *testing.T, w RestoreWorld, run volume.RestoreRun, v *volume.Restore, made map[string]volume.Disk) string {
	t.Helper()
	if d := made[v.PV]; v.NeedsDisk() && !d.Ready {
		return d.Failed
	}
	found, err := w.Restorer(run).Diagnose(t.Context(), v, soon)
	if err != nil {
		t.Fatalf("diagnose %s: %v", v.PV, err)
	}
	if found.Problem != "" && !found.IsFinal {
		t.Errorf("%s: %s, which waiting may help", v.PV, found.Problem)
	}
	return found.Problem
}

// use restores the objects of a volume.
func use(t *testing.T, w RestoreWorld, run volume.RestoreRun, v *volume.Restore, made map[string]volume.Disk) {
	t.Helper()
	objects, err := w.Restorer(run).ClaimObjects(v)
	if err != nil {
		t.Fatal(err)
	}
	w.Use(v, made[v.PV], objects)
}
