//go:build stack

package volumes

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// several makes a namespace of n claims and a native backup of it.
func (l *lab) several(t *testing.T, short string, n int) (ns, backup string) {
	t.Helper()
	return l.severalBy(t, short, n, (*forgery).native)
}

func (l *lab) severalBy(t *testing.T, short string, n int, take func(f *forgery, ns, claim string) ebs.Snapshot) (ns, backup string) {
	t.Helper()
	ns = l.namespace(t, short)
	f := l.forge(t, short)
	for i := range n {
		name := fmt.Sprintf("data-%d", i)
		l.claim(t, ns, name, name)
		take(f, ns, name)
	}
	return ns, f.write(true)
}

// byCSI takes the snapshots of severalBy through the driver.
func byCSI(f *forgery, ns, claim string) ebs.Snapshot {
	return ebs.Snapshot{ID: f.csi(ns, claim, stack.EBSSnapshotClass)}
}

// slow makes EC2 take its time over what concerns some volumes or their snapshots, until
// end or the end of the test.
func (l *lab) slow(t *testing.T, action string, d time.Duration, disks ...string) (end func()) {
	t.Helper()
	var ends []func()
	for _, disk := range disks {
		ends = append(ends, l.ebs.Inject(t, ebssim.Fault{Action: action, Volume: disk, Effect: ebssim.EffectLate, Delay: ebssim.Duration(d)}))
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// disks are the EBS volumes of claims.
func (l *lab) disks(t *testing.T, ns string, claims ...string) (disks []string) {
	t.Helper()
	for _, name := range claims {
		disks = append(disks, l.disk(t, ns, name))
	}
	return disks
}

// made waits until a restore, whose uid is the id of its run, has made n volumes.
func (l *lab) made(t *testing.T, uid string, n int) {
	t.Helper()
	eventually(t, "volumes of the restore", func() error {
		if got := len(l.madeBy(t, uid)); got < n {
			return fmt.Errorf("%d volumes", got)
		}
		return nil
	})
}

// TestKilledRestoreMakesEachVolumeOnce kills the worker while the call for one of three
// volumes is on its way, and while the driver fills claims from snapshots.
func TestKilledRestoreMakesEachVolumeOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		take func(f *forgery, ns, claim string) ebs.Snapshot
		when func(l *lab, t *testing.T, uid, copied string) // the kill comes
		once func(l *lab, t *testing.T, uid, copied string) int
	}{
		"native": {
			(*forgery).native, func(l *lab, t *testing.T, uid, _ string) { l.made(t, uid, 2) },
			func(l *lab, t *testing.T, uid, _ string) int { return len(l.madeBy(t, uid)) },
		},
		"csi": {byCSI, (*lab).filling, func(l *lab, t *testing.T, _, copied string) int { return len(l.fillers(t, copied)) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := shared.beside(t, "killed-"+name)
			ns, backup := l.severalBy(t, "killed-"+name, 3, tc.take)
			copied := "killed-copied-" + name + "-" + l.ID
			l.cleanUp(t, copied)
			late := l.disks(t, ns, "data-2")
			if name == "csi" {
				late = l.disks(t, ns, "data-0", "data-1", "data-2")
			}
			atOnce := l.slow(t, "CreateVolume", 3*time.Second, late...)
			run := l.start(t, input("killed-"+name+"-"+l.ID, backup, ns, map[string]string{ns: copied}))
			tc.when(l, t, run.GetRunID(), copied)
			l.Worker.Kill()
			atOnce()
			l.ReplaceWorker(t)
			var res contract.RestoreResult
			if err := run.Get(t.Context(), &res); err != nil || res.Phase != "Completed" || res.Volumes != 3 {
				t.Fatalf("%v %+v", err, res)
			}
			l.holdsNames(t, copied, 3)
			if n := tc.once(l, t, res.UID, copied); n != 3 {
				t.Errorf("made %d", n)
			}
		})
	}
}

// filling waits until a claim is there that the driver has to fill.
func (l *lab) filling(t *testing.T, _, ns string) {
	t.Helper()
	eventually(t, "a claim to fill", func() error {
		if len(l.List(t, "pvc", ns, "")) == 0 {
			return errors.New("none")
		}
		return nil
	})
}

// fillers are the names of the VolumeSnapshots that claims of a namespace are filled
// from.
func (l *lab) fillers(t *testing.T, ns string) []string {
	t.Helper()
	return harness.Names(l.List(t, volumeSnapshots, ns, ""))
}

// holdsNames: each of the claims of several holds its name.
func (l *lab) holdsNames(t *testing.T, ns string, n int) {
	t.Helper()
	for i := range n {
		name := fmt.Sprintf("data-%d", i)
		if got := l.content(t, ns, name); got != name {
			t.Errorf("%s holds %q", name, got)
		}
	}
}

// TestCancelledRestoreLeavesNoVolume cancels while one of three volumes is still being
// asked for: all three are made, none is used, none is left.
func TestCancelledRestoreLeavesNoVolume(t *testing.T) {
	t.Parallel()
	l := shared
	ns, backup := l.several(t, "cancelled", 3)
	copied := "cancelled-copied-" + l.ID
	l.cleanUp(t, copied)
	pv := textAt(l.bound(t, ns, "data-2"), "metadata", "name")
	l.ebs.Inject(t, ebssim.Fault{
		Action: "CreateVolume", Effect: ebssim.EffectLate, Delay: ebssim.Duration(4 * time.Second), Tags: map[string]string{ebs.TagPV: pv},
	})
	run := l.start(t, input("cancelled-"+l.ID, backup, ns, map[string]string{ns: copied}))
	l.made(t, run.GetRunID(), 2)
	if err := l.Temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()); err != nil {
		t.Fatal(err)
	}
	if err := run.Get(t.Context(), nil); !temporal.IsCanceledError(err) {
		t.Errorf("ended with %v", err)
	}
	time.Sleep(5 * time.Second) // until a call that nobody waited for would have done its work
	if left := l.madeBy(t, run.GetRunID()); len(left) > 0 {
		t.Errorf("left %+v", left)
	}
	if l.Object(t, "namespace", "", copied) != nil {
		t.Error("objects were written")
	}
}

// TestCancelledCSIRestore cancels while the driver fills claims: what was made is whole
// and gets its data, and no content is left that no VolumeSnapshot is bound to.
func TestCancelledCSIRestore(t *testing.T) {
	t.Parallel()
	l := shared
	ns, backup := l.severalBy(t, "uncsi", 2, byCSI)
	copied := "uncsi-copied-" + l.ID
	l.cleanUp(t, copied)
	atOnce := l.slow(t, "CreateVolume", 4*time.Second, l.disks(t, ns, "data-0", "data-1")...)
	run := l.start(t, input("uncsi-"+l.ID, backup, ns, map[string]string{ns: copied}))
	l.filling(t, "", copied)
	if err := l.Temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()); err != nil {
		t.Fatal(err)
	}
	if err := run.Get(t.Context(), nil); !temporal.IsCanceledError(err) {
		t.Errorf("ended with %v", err)
	}
	atOnce()
	claims := harness.Names(l.List(t, "pvc", copied, ""))
	for _, name := range claims {
		if got := l.content(t, copied, name); got != name {
			t.Errorf("%s holds %q", name, got)
		}
	}
	contents := l.List(t, snapshotContents, "", "velero.io/restore-name=uncsi-"+l.ID)
	if n := len(l.fillers(t, copied)); len(contents) != n || n < len(claims) {
		t.Errorf("%d contents, %d snapshots, %d claims", len(contents), n, len(claims))
	}
}

// TestOneVolumeFails: what EC2 refuses for one volume keeps that one and its claim
// out, and nothing else.
func TestOneVolumeFails(t *testing.T) {
	t.Parallel()
	l := shared
	ns, backup := l.several(t, "partly", 2)
	copied := "partly-copied-" + l.ID
	l.cleanUp(t, copied)
	pv := textAt(l.bound(t, ns, "data-1"), "metadata", "name")
	l.ebs.Inject(t, ebssim.Fault{
		Action: "CreateVolume", Effect: ebssim.EffectError, Code: "VolumeLimitExceeded", Message: "no more volumes", Tags: map[string]string{ebs.TagPV: pv},
	})
	var res contract.RestoreResult
	if err := l.start(t, input("partly-"+l.ID, backup, ns, map[string]string{ns: copied})).Get(t.Context(), &res); err != nil {
		t.Fatal(err)
	}
	if res.Phase != "PartiallyFailed" || res.Volumes != 1 || !has(res.Reasons, "VOLUME_NOT_RESTORED", copied+"/data-1", "no more volumes") {
		t.Errorf("%+v", res)
	}
	if got := l.content(t, copied, "data-0"); got != "data-0" {
		t.Errorf("read %q", got)
	}
	if l.Object(t, "pvc", copied, "data-1") != nil {
		t.Error("the claim is there: the next restore would leave it alone")
	}
}

// TestDenied: without permission nothing is restored and nothing is left.
func TestDenied(t *testing.T) {
	t.Parallel()
	l := shared
	ns, backup := l.several(t, "denied", 2)
	copied := "denied-copied-" + l.ID
	l.cleanUp(t, copied)
	pv := textAt(l.bound(t, ns, "data-1"), "metadata", "name")
	l.ebs.Inject(t, ebssim.Fault{
		Action: "CreateVolume", Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: 403, Message: "not you", Tags: map[string]string{ebs.TagPV: pv},
	})
	in := input("denied-"+l.ID, backup, ns, map[string]string{ns: copied})
	run := l.start(t, in)
	err := run.Get(t.Context(), nil)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != contract.ErrTypeDenied {
		t.Errorf("ended with %v", err)
	}
	if left := l.madeBy(t, run.GetRunID()); len(left) > 0 || l.Object(t, "namespace", "", copied) != nil {
		t.Errorf("left %+v", left)
	}
}
