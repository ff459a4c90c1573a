package ebs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// group attaches n volumes and one more, and asks for all but the last.
func (w *world) group(n int) []Request {
	rs := make([]Request, n)
	for i, v := range w.volumes(n + 1) {
		w.attach(v, fmt.Sprintf("/dev/xvd%c", 'b'+i))
		if i < n {
			v.Tags = map[string]string{"disk": fmt.Sprint(i)}
			rs[i] = request(v, fmt.Sprint("pv-", i))
		}
	}
	time.Sleep(time.Minute)
	w.ClearAudit()
	return rs
}

// wantGroup: exactly one good snapshot for each request, in its order, of one
// moment, with its tags.
func (w *world) wantGroup(got []Snapshot, rs []Request) {
	w.t.Helper()
	if len(got) != len(rs) {
		w.t.Fatalf("%d snapshots for %d volumes", len(got), len(rs))
	}
	have := map[string]ebssim.SnapshotState{}
	for _, s := range w.snapshots() {
		if s.Where == "" {
			have[s.ID] = s
		}
	}
	if len(have) != len(rs) {
		w.t.Errorf("%d snapshots exist for %d volumes", len(have), len(rs))
	}
	for i, r := range rs {
		s := have[got[i].ID]
		if s.VolumeID != r.Volume.ID || got[i].VolumeID != r.Volume.ID || got[i].Zone != zone || !s.Started.Equal(have[got[0].ID].Started) {
			w.t.Errorf("snapshot %d: %+v", i, got[i])
		}
		if key := lacking(s.Tags, r.Tags); key != "" || lacking(got[i].Tags, r.Tags) != "" {
			w.t.Errorf("snapshot %d lacks tag %q: %v", i, key, s.Tags)
		}
	}
}

func TestSnapshotInstance(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, rs := w.location(), w.group(3)
		got, err := l.SnapshotInstance(t.Context(), uid, instance, rs)
		if err != nil {
			t.Fatal(err)
		}
		w.wantGroup(got, rs)
		time.Sleep(time.Second)
		again, err := w.location().SnapshotInstance(t.Context(), uid, instance, rs)
		if err != nil || fmt.Sprint(again[1].ID) != got[1].ID {
			t.Errorf("another worker: %v, %v", again, err)
		}
		w.wantGroup(again, rs)
		w.nothingHeld(l)
		if bad := w.refusals(); len(bad) > 0 {
			t.Errorf("refused: %v", bad)
		}
	})
}

// An instance with more other volumes than EC2 can leave out makes no group, and nothing
// is made of what nobody asked for.
func TestSnapshotInstanceAmongMany(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		var rs []Request
		for i, v := range w.volumes(maxExcludedVolumes + 3) {
			w.attach(v, fmt.Sprintf("/dev/xvd%c%c", 'b'+i/26, 'a'+i%26))
			rs = append(rs, request(v, fmt.Sprint("pv-", i)))
		}
		time.Sleep(time.Minute)
		if _, err := w.location().SnapshotInstance(t.Context(), uid, instance, rs[:2]); !errors.Is(err, ErrGroupTooSmall) {
			t.Errorf("%d others: %v", maxExcludedVolumes+1, err)
		}
		if n := len(w.snapshots()); n != 0 {
			t.Errorf("%d snapshots were made", n)
		}
		if got, err := w.location().SnapshotInstance(t.Context(), uid, instance, rs[:3]); err != nil || len(got) != 3 {
			t.Errorf("%d others: %v, %v", maxExcludedVolumes, got, err)
		}
	})
}

// TestSnapshotInstanceSurvives what comes between the snapshots and their tags.
func TestSnapshotInstanceSurvives(t *testing.T) {
	for name, f := range map[string]ebssim.Fault{
		"a lost answer":  {Action: "CreateSnapshots", Effect: ebssim.EffectDropAfter, Times: 1},
		"a lost request": {Action: "CreateSnapshots", Effect: ebssim.EffectDropBefore, Times: 1},
		"throttling":     {Action: "CreateSnapshots", Effect: ebssim.EffectThrottle, Times: 3},
		"another answer": {Action: "CreateTags", Effect: ebssim.EffectError, Code: "InvalidSnapshot.NotFound", Times: 2}, // of a part of EC2 that does not know it yet
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, slow(), nil, func(t *testing.T, w *world) {
				l, rs := w.location(), w.group(3)
				w.fault(f)
				got, err := l.SnapshotInstance(t.Context(), uid, instance, rs)
				if err != nil {
					t.Fatal(err)
				}
				w.wantGroup(got, rs)
			})
		})
	}
}

// TestSnapshotInstanceBesideADetach: a volume of another pod leaves the instance between
// the look at it and the snapshots, and EC2 refuses to leave out what is not there.
func TestSnapshotInstanceBesideADetach(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, rs := w.location(), w.group(3)
		other := w.volumes(1)[0]
		w.attach(other, "/dev/xvdz")
		time.Sleep(time.Minute)
		w.fault(ebssim.Fault{Action: "CreateSnapshots", Effect: ebssim.EffectDelay, Delay: ebssim.Duration(15 * time.Second), Times: 1})
		go func() {
			time.Sleep(time.Second)
			if _, err := w.admin.ec2.DetachVolume(t.Context(), &ec2.DetachVolumeInput{VolumeId: aws.String(other.ID)}); err != nil {
				t.Error(err)
			}
		}()
		got, err := l.SnapshotInstance(t.Context(), uid, instance, rs)
		if err != nil {
			t.Fatal(err)
		}
		w.wantGroup(got, rs)
		if bad := w.refusals(); bad["CreateSnapshots InvalidParameterValue"] != 1 {
			t.Errorf("refused: %v, want the volume that was detached", bad)
		}
	})
}

func TestSnapshotInstanceDiesBeforeTheTags(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, rs := w.location(), w.group(3)
		w.fault(ebssim.Fault{Action: "CreateTags", Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: 403})
		if _, err := l.SnapshotInstance(t.Context(), uid, instance, rs); !errors.Is(err, ErrDenied) {
			t.Fatalf("no tags, no error: %v", err)
		}
		w.RemoveFault("")
		time.Sleep(time.Second)
		got, err := w.location().SnapshotInstance(t.Context(), uid, instance, rs)
		if err != nil {
			t.Fatal(err)
		}
		w.wantGroup(got, rs)
	})
}

// TestSnapshotInstanceWithAFailedPart: half of a group is of no use, since what is
// made next is of another moment.
func TestSnapshotInstanceWithAFailedPart(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, rs := w.location(), w.group(3)
		w.fault(ebssim.Fault{Effect: ebssim.EffectSnapshotError, Volume: rs[1].Volume.ID, Times: 1})
		first, err := l.SnapshotInstance(t.Context(), uid, instance, rs)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		second, err := l.SnapshotInstance(t.Context(), uid, instance, rs)
		if err != nil {
			t.Fatal(err)
		}
		found, err := l.Snapshots(t.Context(), []string{first[0].ID, first[2].ID})
		if err != nil || len(found) != 0 {
			t.Errorf("remains of the first group: %v, %v", found, err)
		}
		if failed, err := l.DeleteSnapshot(t.Context(), first[1].ID, map[string]string{TagBackupUID: uid}); err != nil || failed.Outcome != Deleted {
			t.Errorf("the failed one: %v, %v", failed, err)
		}
		w.wantGroup(second, rs)
	})
}

func TestSnapshotInstanceRefusals(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, rs := w.location(), w.group(2)
		loose := w.volumes(1)[0]
		_, err := l.SnapshotInstance(t.Context(), uid, instance, append(rs, request(loose, "pv-x")))
		if !errors.Is(err, ErrState) || !strings.Contains(err.Error(), loose.ID) {
			t.Errorf("a volume that is not attached: %v", err)
		}
		if _, err := l.SnapshotInstance(t.Context(), uid, "i-00000000000000000", rs); !errors.Is(err, ErrState) {
			t.Errorf("an instance that is not there: %v", err)
		}
		if n := len(w.snapshots()); n != 0 {
			t.Errorf("%d snapshots made", n)
		}
		w.nothingHeld(l)
	})
}

// TestSnapshotInstanceThatShowsInParts: what a killed worker made comes into view
// one by one, and the next worker does not take that for a broken group.
func TestSnapshotInstanceThatShowsInParts(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, rs := w.location(), w.group(2)
		if _, err := l.Snapshot(t.Context(), uid, rs[0]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(settles)
		go func() {
			time.Sleep(time.Second)
			if _, err := w.admin.Snapshot(t.Context(), uid, rs[1]); err != nil {
				t.Error(err)
			}
		}()
		got, err := w.location().SnapshotInstance(t.Context(), uid, instance, rs)
		if err != nil || len(w.snapshots()) != 2 || len(w.calls("DeleteSnapshot"))+len(w.calls("CreateSnapshots")) != 0 {
			t.Errorf("%v, %v; there are %v", got, err, w.snapshots())
		}
	})
}

// TestSnapshotHoldsTheData of the moment it was asked for.
func TestSnapshotHoldsTheData(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		s, err := l.Snapshot(t.Context(), uid, request(v, "pv-1"))
		if err != nil {
			t.Fatal(err)
		}
		dir, err := w.VolumeDir(v.ID)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "data"), []byte("later"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		done, err := l.Snapshots(t.Context(), []string{s.ID})
		if err != nil {
			t.Fatal(err)
		}
		made, err := l.CreateVolume(t.Context(), VolumeRequest{RestoreUID: "r-1", PV: "pv-1", Snapshot: done[s.ID], Zone: region + "b", Type: "gp3"})
		if err != nil {
			t.Fatal(err)
		}
		dir, err = w.VolumeDir(made.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "data")); err != nil || string(got) != v.ID {
			t.Errorf("restored %q, %v", got, err)
		}
	})
}
