//go:build stack

package volumes

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/ebs"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// several makes a namespace of n claims and a native backup of it.
func (l *lab) several(t *testing.T, short string, n int) (ns, backup string) {
	t.Helper()
	ns = l.namespace(t, short)
	f := l.forge(t, short)
	for i := range n {
		name := fmt.Sprintf("data-%d", i)
		l.claim(t, ns, name, name)
		f.native(ns, name)
	}
	return ns, f.write(true)
}

// slow makes EC2 take its time over every volume until the test is over.
func (l *lab) slow(t *testing.T, action string, d time.Duration) {
	t.Helper()
	l.fault(t, ebssim.Fault{Action: action, Effect: ebssim.EffectLate, Delay: ebssim.Duration(d)})
}

func (l *lab) fault(t *testing.T, f ebssim.Fault) {
	t.Helper()
	if _, err := l.ebs.AddFault(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.calm(t) })
}

func (l *lab) calm(t *testing.T) {
	t.Helper()
	if err := l.ebs.ClearFaults(cleanup(t)); err != nil {
		t.Error(err)
	}
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

// TestKilledRestoreMakesEachVolumeOnce kills the worker while volumes are being made.
func TestKilledRestoreMakesEachVolumeOnce(t *testing.T) {
	l := shared
	ns, backup := l.several(t, "killed", 4)
	copied := "killed-copied-" + l.id
	l.cleanUp(t, copied)
	l.slow(t, "CreateVolume", 2*time.Second)
	run := l.start(t, input("killed-"+l.id, backup, ns, map[string]string{ns: copied}))
	time.Sleep(1500 * time.Millisecond) // the calls are on their way
	l.worker.Kill()
	l.calm(t)
	var err error
	if l.worker, err = l.StartWorker(t.Context(), l.ebs.Environment()...); err != nil {
		t.Fatal(err)
	}
	var res contract.RestoreResult
	if err := run.Get(t.Context(), &res); err != nil || res.Phase != "Completed" {
		t.Fatalf("%v %+v", err, res)
	}
	for i := range 4 {
		name := fmt.Sprintf("data-%d", i)
		if got := l.content(t, copied, name); got != name {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if made := l.madeBy(t, res.UID); len(made) != 4 {
		t.Errorf("made %d volumes: %+v", len(made), made)
	}
}

// TestCancelledRestoreLeavesNoVolume cancels while one of three volumes is still being
// asked for: all three are made, none is used, none is left.
func TestCancelledRestoreLeavesNoVolume(t *testing.T) {
	l := shared
	ns, backup := l.several(t, "cancelled", 3)
	copied := "cancelled-copied-" + l.id
	l.cleanUp(t, copied)
	pv := textAt(l.bound(t, ns, "data-2"), "metadata", "name")
	l.fault(t, ebssim.Fault{
		Action: "CreateVolume", Effect: ebssim.EffectLate, Delay: ebssim.Duration(4 * time.Second), Tags: map[string]string{ebs.TagPV: pv},
	})
	run := l.start(t, input("cancelled-"+l.id, backup, ns, map[string]string{ns: copied}))
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
	if l.object(t, "namespace", "", copied) != nil {
		t.Error("objects were written")
	}
}

// TestOneVolumeFails: what EC2 refuses for one volume keeps that one and its claim
// out, and nothing else.
func TestOneVolumeFails(t *testing.T) {
	l := shared
	ns, backup := l.several(t, "partly", 2)
	copied := "partly-copied-" + l.id
	l.cleanUp(t, copied)
	pv := textAt(l.bound(t, ns, "data-1"), "metadata", "name")
	l.fault(t, ebssim.Fault{
		Action: "CreateVolume", Effect: ebssim.EffectError, Code: "VolumeLimitExceeded", Message: "no more volumes", Tags: map[string]string{ebs.TagPV: pv},
	})
	var res contract.RestoreResult
	if err := l.start(t, input("partly-"+l.id, backup, ns, map[string]string{ns: copied})).Get(t.Context(), &res); err != nil {
		t.Fatal(err)
	}
	if res.Phase != "PartiallyFailed" || res.Volumes != 1 || !has(res.Reasons, "VOLUME_NOT_RESTORED", copied+"/data-1", "no more volumes") {
		t.Errorf("%+v", res)
	}
	if got := l.content(t, copied, "data-0"); got != "data-0" {
		t.Errorf("read %q", got)
	}
	if l.object(t, "pvc", copied, "data-1") != nil {
		t.Error("the claim is there: the next restore would leave it alone")
	}
}

// TestDenied: without permission nothing is restored and nothing is left.
func TestDenied(t *testing.T) {
	l := shared
	ns, backup := l.several(t, "denied", 2)
	copied := "denied-copied-" + l.id
	l.cleanUp(t, copied)
	pv := textAt(l.bound(t, ns, "data-1"), "metadata", "name")
	l.fault(t, ebssim.Fault{
		Action: "CreateVolume", Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: 403, Message: "not you", Tags: map[string]string{ebs.TagPV: pv},
	})
	in := input("denied-"+l.id, backup, ns, map[string]string{ns: copied})
	run := l.start(t, in)
	err := run.Get(t.Context(), nil)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != contract.ErrTypeDenied {
		t.Errorf("ended with %v", err)
	}
	if left := l.madeBy(t, run.GetRunID()); len(left) > 0 || l.object(t, "namespace", "", copied) != nil {
		t.Errorf("left %+v", left)
	}
}
