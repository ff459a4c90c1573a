//go:build stack

package volumes

import (
	"fmt"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
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
	if _, err := l.ebs.AddFault(t.Context(), ebssim.Fault{Action: action, Effect: ebssim.EffectDelay, Delay: ebssim.Duration(d)}); err != nil {
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

// uidOf is the uid of a running restore: the id of its run.
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

// TestCancelledRestoreLeavesNoVolume cancels while volumes are being made, and once
// more in the middle of a restore that one object holds up.
func TestCancelledRestoreLeavesNoVolume(t *testing.T) {
	l := shared
	ns, backup := l.several(t, "cancelled", 3)
	copied := "cancelled-copied-" + l.id
	l.cleanUp(t, copied)
	l.slow(t, "DescribeVolumes", 300*time.Millisecond)
	run := l.start(t, input("cancelled-"+l.id, backup, ns, map[string]string{ns: copied}))
	l.made(t, run.GetRunID(), 1)
	if err := l.Temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()); err != nil {
		t.Fatal(err)
	}
	err := run.Get(t.Context(), nil)
	used := 0
	for i := range 3 {
		if l.object(t, "pvc", copied, fmt.Sprintf("data-%d", i)) != nil {
			used++
		}
	}
	left := l.madeBy(t, run.GetRunID())
	t.Logf("ended %v, %d claims, %d volumes", err, used, len(left))
	if len(left) > used || err != nil && !temporal.IsCanceledError(err) {
		t.Errorf("%v: %d volumes left, %d claims use one", err, len(left), used)
	}
}
