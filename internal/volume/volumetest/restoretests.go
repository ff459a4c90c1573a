package volumetest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// testCheckWritesNothing: a dry run checks too. Afterwards it is known of each volume in
// which way its data comes back.
func testCheckWritesNothing(t *testing.T, w RestoreWorld) {
	run := restoreOf("r")
	all, view := w.Plan()
	found, err := w.Restorer(run).Check(t.Context(), all, view)
	if err != nil || len(found.Refusals)+len(found.Reasons) > 0 {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, v := range all {
		if (v.Disk == nil) == (v.Snapshot == nil) || v.Origin() == "" {
			t.Errorf("%s comes back as %+v, %+v", v.PV, v.Disk, v.Snapshot)
		}
	}
	wantVolumes(t, w.Made(run), nil)
}

// testCheckSnapshotGone: a restore that cannot have the data of a volume is refused before
// it has restored anything, and leaves nothing.
func testCheckSnapshotGone(t *testing.T, w RestoreWorld) {
	run := restoreOf("r")
	w.DeleteSnapshot(2)
	all, found := checkAll(t, w, run)
	if len(found.Refusals) != 1 || found.Refusals[0].Kind != contract.ErrTypeNotFound {
		t.Fatalf("got %+v", found)
	}
	if text := found.Refusals[0].Text; !strings.Contains(text, all[2].PV) && !strings.Contains(text, all[2].ClaimKey()) {
		t.Errorf("nobody knows which volume: %s", text)
	}
	sweep(t, w, run, all, nil)
	wantVolumes(t, w.Made(run), nil)
}

// testProvision: each volume can be had, with nothing wrong, and is made once.
func testProvision(t *testing.T, w RestoreWorld) {
	run := restoreOf("r")
	all := planAll(t, w, run)
	made := provision(t, w, run, all, map[string]volume.Disk{})
	for _, v := range all {
		use(t, w, run, v, made)
		if why := problemOf(t, w, run, v, made); why != "" {
			t.Errorf("%s: %s", v.PV, why)
		}
		if d := made[v.PV]; v.NeedsDisk() && (d.ID == "" || d.Zone != v.Disk.Zone) {
			t.Errorf("%s: a disk without an id, or in another zone than %s: %+v", v.PV, v.Disk.Zone, d)
		}
	}
	wantVolumes(t, w.Made(run), allVolumes())
}

// testProvisionAgain: an attempt that knows nothing of the one before finds what that
// one has made.
func testProvisionAgain(t *testing.T, w RestoreWorld) {
	run := restoreOf("r")
	first := provision(t, w, run, planAll(t, w, run), map[string]volume.Disk{})
	second := provision(t, w, run, planAll(t, w, run), map[string]volume.Disk{})
	for pv, d := range first {
		if second[pv].ID != d.ID {
			t.Errorf("%s: first %s, then %s", pv, d.ID, second[pv].ID)
		}
	}
	wantVolumes(t, w.Made(run), allVolumes())
}

// testProvisionLostReply: of a volume whose maker heard nothing there is still one.
func testProvisionLostReply(t *testing.T, w RestoreWorld) {
	run := restoreOf("r")
	w.LoseReply()
	provision(t, w, run, planAll(t, w, run), map[string]volume.Disk{})
	wantVolumes(t, w.Made(run), allVolumes())
}

// testProvisionSnapshotGone: a snapshot that vanishes once all was checked is the failure
// of its volume, and of no other.
func testProvisionSnapshotGone(t *testing.T, w RestoreWorld) {
	run := restoreOf("r")
	all := planAll(t, w, run)
	w.DeleteSnapshot(2)
	made := provision(t, w, run, all, map[string]volume.Disk{})
	for i, v := range all {
		if why := problemOf(t, w, run, v, made); (why != "") != (i == 2) {
			t.Errorf("%s: %q", v.PV, why)
		}
	}
}

func sweep(t *testing.T, w RestoreWorld, run volume.RestoreRun, all []*volume.Restore, made map[string]volume.Disk) {
	t.Helper()
	for range 2 { // it may repeat
		if err := w.Restorer(run).Sweep(t.Context(), all, made); err != nil {
			t.Fatalf("sweep: %v", err)
		}
	}
}

// testSweepUnused: what an object of the cluster uses stays.
func testSweepUnused(t *testing.T, w RestoreWorld) {
	run := restoreOf("r")
	all := planAll(t, w, run)
	made := provision(t, w, run, all, map[string]volume.Disk{})
	use(t, w, run, all[0], made)
	use(t, w, run, all[3], made)
	sweep(t, w, run, all, made)
	wantVolumes(t, w.Made(run), []int{0, 3})
}

// testSweepUnrecorded: what was made and of which the record is lost goes too.
func testSweepUnrecorded(t *testing.T, w RestoreWorld) {
	run := restoreOf("r")
	all := planAll(t, w, run)
	provision(t, w, run, all, map[string]volume.Disk{})
	sweep(t, w, run, all, nil)
	wantVolumes(t, w.Made(run), nil)
}

// testSweepOther: what another restore of the same backup has made stays.
func testSweepOther(t *testing.T, w RestoreWorld) {
	run, other := restoreOf("r"), restoreOf("other")
	provision(t, w, run, planAll(t, w, run), map[string]volume.Disk{})
	all := planAll(t, w, other)
	made := provision(t, w, other, all, map[string]volume.Disk{})
	wantVolumes(t, w.Made(other), allVolumes())
	sweep(t, w, other, all, made)
	wantVolumes(t, w.Made(other), nil)
	wantVolumes(t, w.Made(run), allVolumes())
}

// testSweepNothing: a restore that was cancelled early has nothing to delete.
func testSweepNothing(t *testing.T, w RestoreWorld) {
	run := restoreOf("r")
	all, view := w.Plan()
	if _, err := w.Restorer(run).Check(t.Context(), all, view); err != nil {
		t.Fatal(err)
	}
	sweep(t, w, run, all, nil)
}

// testClaimObjects: a repeat makes the same objects, beside the claim, and another restore
// makes others.
func testClaimObjects(t *testing.T, w RestoreWorld) {
	objectsOf := func(run volume.RestoreRun) []volume.Object {
		all, view := w.Plan()
		if _, err := w.Restorer(run).Check(t.Context(), all, view); err != nil {
			t.Fatal(err)
		}
		objects, err := w.Restorer(run).ClaimObjects(all[1])
		if err != nil {
			t.Fatal(err)
		}
		return objects
	}
	first, second, other := objectsOf(restoreOf("r")), objectsOf(restoreOf("r")), objectsOf(restoreOf("other"))
	for i, o := range first {
		if second[i].Key != o.Key || !bytes.Equal(second[i].Body, o.Body) {
			t.Errorf("first %s, then %s", o.Body, second[i].Body)
		}
		if other[i].Key == o.Key {
			t.Errorf("two restores make %s", o.Key.Path())
		}
		if ns := o.Key.Namespace; ns != "" && ns != RestoreNamespace {
			t.Errorf("%s is not beside its claim", o.Key.Path())
		}
	}
}
