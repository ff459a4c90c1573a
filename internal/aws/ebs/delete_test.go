package ebs

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

func backupTag(name string) map[string]string { return map[string]string{TagBackup: name} }

func TestDeleteSnapshot(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, s := w.location(), w.completedSnapshot(w.volumes(1)[0])
		for _, want := range []Outcome{Deleted, Gone, Gone} {
			if d, err := l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly")); err != nil || d.Outcome != want || d.Reason != "" {
				t.Errorf("%+v, %v; want %s", d, err, want)
			}
		}
	})
}

func TestDeleteSnapshotThatIsNotOurs(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, s := w.location(), w.completedSnapshot(w.volumes(1)[0])
		for name, tt := range map[string]struct {
			must map[string]string
			want error
		}{
			"another backup's": {backupTag("weekly"), ErrNotOurs}, "no such tag": {map[string]string{"x": ""}, ErrNotOurs}, "no tags named": {nil, ErrInvalid},
		} {
			if d, err := l.DeleteSnapshot(t.Context(), s.ID, tt.must); !errors.Is(err, tt.want) || d.Outcome != "" {
				t.Errorf("%s: %+v, %v", name, d, err)
			}
		}
		if len(w.snapshots()) != 1 || len(w.calls("DeleteSnapshot")) != 0 {
			t.Error("EC2 was asked to delete it")
		}
	})
}

func (w *world) calls(action string) []ebssim.Call {
	var out []ebssim.Call
	for _, c := range w.Audit() {
		if c.Action == action {
			out = append(out, c)
		}
	}
	return out
}

func TestDeleteLockedSnapshot(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, s := w.location(), w.completedSnapshot(w.volumes(1)[0])
		_, err := w.admin.ec2.LockSnapshot(t.Context(), &ec2.LockSnapshotInput{
			SnapshotId: aws.String(s.ID), LockMode: types.LockModeGovernance, LockDuration: aws.Int32(3),
		})
		if err != nil {
			t.Fatal(err)
		}
		until := time.Now().Add(72 * time.Hour).UTC().Format("2006-01-02")
		d, err := l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly"))
		if err != nil || d.Outcome != Retained || !strings.Contains(d.Reason, "locked in governance mode until "+until) {
			t.Errorf("%+v, %v", d, err)
		}
		w.fault(ebssim.Fault{Action: "DescribeLockedSnapshots", Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: 403})
		d, err = l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly"))
		if err != nil || d.Outcome != Retained || !strings.Contains(d.Reason, "locked") {
			t.Errorf("without leave to look at locks: %+v, %v", d, err)
		}
	})
}

func TestDeleteSnapshotIntoTheRecycleBin(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, s := w.location(), w.completedSnapshot(w.volumes(1)[0])
		w.SetRecycleBin([]ebssim.RetentionRule{{Retain: ebssim.Duration(24 * time.Hour)}})
		until := time.Now().Add(24 * time.Hour).UTC().Format("2006-01-02")
		if d, err := l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly")); err != nil || d.Outcome != Deleted {
			t.Errorf("the bin does not show it yet: %+v, %v", d, err)
		}
		time.Sleep(settles)
		for range 2 { // it is not there any more, and kept all the same
			d, err := l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly"))
			if err != nil || d.Outcome != Retained || !strings.Contains(d.Reason, "Recycle Bin") || !strings.Contains(d.Reason, until) {
				t.Errorf("%+v, %v", d, err)
			}
		}
		time.Sleep(25 * time.Hour)
		if d, err := l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly")); err != nil || d.Outcome != Gone {
			t.Errorf("after the bin: %+v, %v", d, err)
		}
	})
}

func TestDeleteSnapshotErrors(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, s := w.location(), w.completedSnapshot(w.volumes(1)[0])
		for code, want := range map[string]error{"UnauthorizedOperation": ErrDenied, "IncorrectState": ErrState} {
			w.fault(ebssim.Fault{Action: "DeleteSnapshot", Effect: ebssim.EffectError, Code: code, Times: 1})
			if d, err := l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly")); !errors.Is(err, want) {
				t.Errorf("%s: %+v, %v", code, d, err)
			}
		}
		w.fault(ebssim.Fault{Action: "DeleteSnapshot", Effect: ebssim.EffectError, Code: "InvalidSnapshot.InUse", Message: "The snapshot is in use by ami-1.", Times: 1})
		if d, err := l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly")); err != nil || d.Outcome != Retained || !strings.Contains(d.Reason, "ami-1") {
			t.Errorf("in use: %+v, %v", d, err)
		}
		w.fault(ebssim.Fault{Action: "DeleteSnapshot", Effect: ebssim.EffectDropAfter, Times: 1})
		if d, err := l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly")); err != nil || d.Outcome == Retained {
			t.Errorf("a lost answer: %+v, %v", d, err)
		}
	})
}

func TestDeleteVolume(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, s := w.location(), w.completedSnapshot(w.volumes(1)[0])
		v, err := l.CreateVolume(t.Context(), VolumeRequest{RestoreUID: "r-1", PV: "pv-1", Snapshot: s, Zone: zone, Type: "gp3"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.attach(v, "/dev/xvdf")
		ours := map[string]string{TagRestoreUID: "r-1"}
		if d, err := l.DeleteVolume(t.Context(), v.ID, ours); err != nil || d.Outcome != Retained || !strings.Contains(d.Reason, instance) {
			t.Errorf("attached: %+v, %v", d, err)
		}
		if _, err := w.admin.ec2.DetachVolume(t.Context(), &ec2.DetachVolumeInput{VolumeId: aws.String(v.ID)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := l.DeleteVolume(t.Context(), v.ID, map[string]string{TagRestoreUID: "r-2"}); !errors.Is(err, ErrNotOurs) {
			t.Errorf("another restore's: %v", err)
		}
		w.fault(ebssim.Fault{Action: "DeleteVolume", Effect: ebssim.EffectError, Code: "VolumeInUse", Message: "attached meanwhile", Times: 1})
		for _, want := range []Outcome{Retained, Deleted, Gone} {
			if d, err := l.DeleteVolume(t.Context(), v.ID, ours); err != nil || d.Outcome != want {
				t.Errorf("%+v, %v; want %s", d, err, want)
			}
		}
	})
}

// TestPrune: two workers that each believe the other one dead make two snapshots
// of one volume, if they ask at the same moment.
func TestPrune(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		v := w.volumes(1)[0]
		other, err := w.location().Snapshot(t.Context(), "another", requestOf("another", v, "pv-1"))
		if err != nil {
			t.Fatal(err)
		}
		w.SetLimits(func(l *ebssim.Limits) { l.SnapshotInterval = 0 })
		var made []Snapshot
		for range 2 {
			s, err := w.location().Snapshot(t.Context(), uid, request(v, "pv-1")) // the first is not visible yet
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, s)
		}
		time.Sleep(time.Minute)
		l := w.location()
		done, err := l.Prune(t.Context(), uid, []string{made[1].ID})
		if err != nil || len(done) != 1 || done[made[0].ID].Outcome != Deleted {
			t.Errorf("%v, %v", done, err)
		}
		time.Sleep(settles)
		left, err := l.Snapshots(t.Context(), []string{other.ID, made[0].ID, made[1].ID})
		if err != nil || len(left) != 2 || left[other.ID].ID == "" || left[made[1].ID].ID == "" {
			t.Errorf("left: %v, %v", left, err)
		}
		if _, err := l.Prune(t.Context(), "", nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("no run named: %v", err)
		}
	})
}

// TestDeleteWhatNotEachCallShows: a young snapshot that EC2 has shown to one call may be hidden
// from the call that deletes it. It is not taken for gone.
func TestDeleteWhatNotEachCallShows(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l := w.location()
		for i, v := range w.volumes(4) { // every second call finds them
			s, err := w.admin.Snapshot(t.Context(), uid+strconv.Itoa(i), requestOf(uid+strconv.Itoa(i), v, "pv-1"))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(settles * 3 / 4)
			s.Started = time.Now()
			end, err := l.DeleteFound(t.Context(), map[string]Snapshot{s.ID: s}, s.ID, backupTag("nightly"))
			if err != nil || end.Outcome != Deleted {
				t.Errorf("snapshot %d: %+v, %v", i, end, err)
			}
		}
		for _, s := range w.snapshots() {
			if s.Where == "" {
				t.Errorf("snapshot %s is left", s.ID)
			}
		}
	})
}

// TestDeleteVolumeThatNotEachCallShows: of two calls in a row one does not find a young volume. Where the
// first has found it, the second asks until it does.
func TestDeleteVolumeThatNotEachCallShows(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, s := w.location(), w.completedSnapshot(w.volumes(1)[0])
		v, err := w.admin.CreateVolume(t.Context(), VolumeRequest{RestoreUID: "r-1", PV: "pv-1", Snapshot: s, Zone: zone, Type: "gp3"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(settles * 3 / 4)
		var outcomes []Outcome
		for range 2 { // the first look of one of them finds it
			d, err := l.DeleteVolume(t.Context(), v.ID, map[string]string{TagRestoreUID: "r-1"})
			if err != nil {
				t.Fatal(err)
			}
			outcomes = append(outcomes, d.Outcome)
		}
		if !slices.Contains(outcomes, Deleted) {
			t.Errorf("%q", outcomes)
		}
	})
}
