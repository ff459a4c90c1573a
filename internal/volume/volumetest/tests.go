package volumetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// testTake: each volume has one snapshot, whose point in time is fixed, whether or not
// pods are quiesced for it.
func testTake(t *testing.T, w World) {
	b := w.Backup()
	for _, s := range takeAll(t, w, b, true) {
		if s.At.IsZero() || s.At.After(time.Now().Add(time.Second)) {
			t.Errorf("volume %d is of %s", s.Volume, s.At)
		}
	}
	wantVolumes(t, w.Existing(b.UID), allVolumes())
	other := otherBackup(w)
	takeAll(t, w, other, false)
	wantVolumes(t, w.Existing(other.UID), allVolumes())
}

// testTakeAgain: a second attempt finds what the first one took.
func testTakeAgain(t *testing.T, w World) {
	b := w.Backup()
	for _, quiesced := range []bool{true, false} {
		first := takeAll(t, w, b, quiesced)
		again := takeAll(t, w, b, quiesced)
		for i := range first {
			if first[i].ID != again[i].ID || !first[i].At.Equal(again[i].At) {
				t.Errorf("first %+v, then %+v", first[i], again[i])
			}
		}
		wantVolumes(t, w.Existing(b.UID), allVolumes())
	}
}

// testLostReply: of a snapshot whose maker heard nothing there is still one.
func testLostReply(t *testing.T, w World) {
	b := w.Backup()
	w.LoseReply()
	r := reserve(t, w, b, true)
	if _, err := r.Take(t.Context(), nil); err != nil {
		t.Logf("the first attempt: %v", err)
	}
	r.Release()
	takeAll(t, w, b, true)
	wantVolumes(t, w.Existing(b.UID), allVolumes())
}

// testWithout: nothing is taken of volumes whose pods could not be quiesced, and nothing
// is said of them.
func testWithout(t *testing.T, w World) {
	b := w.Backup()
	taken := takeOnce(t, w, b, true, map[int]bool{1: true, 3: true})
	wantVolumes(t, volumesOf(taken), []int{0, 2})
	wantVolumes(t, w.Existing(b.UID), []int{0, 2})
}

// testVolumeGone: a volume that has vanished fails for itself alone.
func testVolumeGone(t *testing.T, w World) {
	b := w.Backup()
	w.DeleteVolume(2)
	taken := takeOnce(t, w, b, true, nil)
	wantVolumes(t, volumesOf(taken), allVolumes())
	for _, s := range taken {
		if failed := s.Failed != ""; failed != (s.Volume == 2) {
			t.Errorf("volume %d: %q", s.Volume, s.Failed)
		}
	}
	wantVolumes(t, w.Existing(b.UID), []int{0, 1, 3})
}

// testStatus: snapshots become complete, also for a driver that has not taken them.
func testStatus(t *testing.T, w World) {
	b := w.Backup()
	taken := takeAll(t, w, b, true)
	for i, s := range awaitPhase(t, w.Driver(b), taken, volume.StatusCompleted) {
		if s.Percent != 100 {
			t.Errorf("volume %d is complete at %d %%", i, s.Percent)
		}
	}
}

// testSnapshotGone: a snapshot that somebody has deleted has failed, the others have not.
func testSnapshotGone(t *testing.T, w World) {
	b := w.Backup()
	taken := takeAll(t, w, b, true)
	awaitPhase(t, w.Driver(b), taken, volume.StatusCompleted)
	w.DeleteSnapshots(b.UID, 0)
	if s := awaitPhase(t, w.Driver(b), taken[:1], volume.StatusFailed)[0]; s.Detail == "" {
		t.Error("it has failed for no reason")
	}
	awaitPhase(t, w.Driver(b), taken[1:], volume.StatusCompleted)
}

// testFind: an earlier attempt's snapshots are found for the volumes that are asked for,
// with the points in time that they have.
func testFind(t *testing.T, w World) {
	b := w.Backup()
	if found, err := w.Driver(b).Find(t.Context(), allVolumes()); err != nil || len(found) > 0 {
		t.Fatalf("found %+v, %v before anything was taken", found, err)
	}
	taken := takeAll(t, w, b, true)
	found, err := w.Driver(b).Find(t.Context(), []int{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	wantVolumes(t, volumesOf(found), []int{1, 2})
	for _, f := range found {
		if !f.At.Equal(taken[f.Volume].At) {
			t.Errorf("volume %d: taken at %s, found at %s", f.Volume, taken[f.Volume].At, f.At)
		}
	}
}

// testForget: of forgotten volumes there is nothing, so that the next attempt takes them
// anew. It may repeat.
func testForget(t *testing.T, w World) {
	b := w.Backup()
	takeAll(t, w, b, true)
	if _, err := w.Driver(b).Find(t.Context(), allVolumes()); err != nil { // which waits until they show
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Driver(b).Forget(t.Context(), []int{0, 2}, confirmed); err != nil {
			t.Fatal(err)
		}
		awaitExisting(t, w, b.UID, 1, 3)
	}
	if found, err := w.Driver(b).Find(t.Context(), []int{0, 2}); err != nil || len(found) > 0 {
		t.Errorf("found %+v, %v", found, err)
	}
}

// confirmed is what an attempt says that no other has followed.
func confirmed(context.Context) error { return nil }

// testForgetAllowed: without leave to delete nothing is deleted.
func testForgetAllowed(t *testing.T, w World) {
	b := w.Backup()
	takeAll(t, w, b, true)
	errNot := errors.New("taken over")
	if err := w.Driver(b).Forget(t.Context(), allVolumes(), func(context.Context) error { return errNot }); !errors.Is(err, errNot) {
		t.Errorf("%v", err)
	}
	wantVolumes(t, w.Existing(b.UID), allVolumes())
}

// testForgetLate: an attempt that was taken for dead when it had looked deletes none of the
// snapshots that another has taken meanwhile.
func testForgetLate(t *testing.T, w World) {
	b := w.Backup()
	awaitPhase(t, w.Driver(b), takeAll(t, w, b, true), volume.StatusCompleted) // pending ones hold their places
	var later []volume.Snapshot
	err := w.Driver(b).Forget(t.Context(), allVolumes(), func(ctx context.Context) error {
		if err := w.Driver(b).Forget(ctx, allVolumes(), confirmed); err != nil {
			return err
		}
		awaitExisting(t, w, b.UID)
		later = takeAll(t, w, b, true)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantVolumes(t, w.Existing(b.UID), allVolumes())
	awaitPhase(t, w.Driver(b), later, volume.StatusCompleted)
}

// testRetain: what is retained outlives the release of the backup. Both may repeat.
func testRetain(t *testing.T, w World) {
	b := w.Backup()
	taken := takeAll(t, w, b, true)
	awaitPhase(t, w.Driver(b), taken, volume.StatusCompleted)
	var first volume.Retention
	for i := range 2 {
		r, err := w.Driver(b).Retain(t.Context(), taken)
		if err != nil || len(r.Failed) > 0 {
			t.Fatalf("retain: %v, failed %v", err, r.Failed)
		}
		if i == 0 {
			first = r
		} else if len(r.Objects) != len(first.Objects) || len(r.Infos) != len(first.Infos) {
			t.Errorf("first %d objects and %d infos, then %d and %d", len(first.Objects), len(first.Infos), len(r.Objects), len(r.Infos))
		}
	}
	for range 2 {
		if err := w.Driver(b).Release(t.Context(), taken); err != nil {
			t.Fatalf("release: %v", err)
		}
		wantVolumes(t, w.Existing(b.UID), allVolumes())
	}
}

// testDiscard: what is to be kept stays, the rest goes. It may repeat.
func testDiscard(t *testing.T, w World) {
	b := w.Backup()
	taken := takeAll(t, w, b, true)
	for range 2 {
		discard(t, w, b, taken, map[int]bool{0: true, 3: true})
		awaitExisting(t, w, b.UID, 0, 3)
	}
	discard(t, w, b, taken, nil)
	awaitExisting(t, w, b.UID)
}

func discard(t *testing.T, w World, b *volume.Backup, all []volume.Snapshot, keep map[int]bool) {
	t.Helper()
	if err := w.Driver(b).Discard(t.Context(), all, keep); err != nil {
		t.Fatalf("discard: %v", err)
	}
}

// testDiscardUnrecorded: the attempt that took them may have been lost a moment ago,
// before it could write that down.
func testDiscardUnrecorded(t *testing.T, w World) {
	b := w.Backup()
	if _, err := reserve(t, w, b, true).Take(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	wantVolumes(t, w.Existing(b.UID), allVolumes())
	discard(t, w, b, nil, nil)
	awaitExisting(t, w, b.UID)
}

// testDiscardGone: what somebody else has deleted already is no error.
func testDiscardGone(t *testing.T, w World) {
	b := w.Backup()
	discard(t, w, b, nil, nil)
	taken := takeAll(t, w, b, true)
	w.DeleteSnapshots(b.UID, 1)
	discard(t, w, b, taken, nil)
	awaitExisting(t, w, b.UID)
}

// testDiscardOther: snapshots that another backup has of the same volumes are not touched.
func testDiscardOther(t *testing.T, w World) {
	b, other := w.Backup(), otherBackup(w)
	taken := takeAll(t, w, b, true)
	takeAll(t, w, other, true)
	discard(t, w, b, taken, nil)
	awaitExisting(t, w, b.UID)
	wantVolumes(t, w.Existing(other.UID), allVolumes())
}

// testReleaseReservation: what was reserved and not taken is free again, once.
func testReleaseReservation(t *testing.T, w World) {
	r := reserve(t, w, w.Backup(), true)
	r.Release()
	r.Release()
	reserve(t, w, otherBackup(w), true)
	wantNoCapacity(t, w, w.Backup())
}

// noCapacityWait is how long the tests wait for capacity that there will not be.
const noCapacityWait = 300 * time.Millisecond

// wantNoCapacity reserves in vain.
func wantNoCapacity(t *testing.T, w World, b *volume.Backup) {
	t.Helper()
	_, err := w.Driver(b).Reserve(t.Context(), allGroups(), optionsWithin(noCapacityWait, true))
	if !errors.Is(err, volume.ErrNoCapacity) {
		t.Fatalf("reserve without capacity: %v", err)
	}
}

// testNoCapacity: who has reserved in vain has nothing reserved, and takes nothing.
func testNoCapacity(t *testing.T, w World) {
	b, other := w.Backup(), otherBackup(w)
	holder := reserve(t, w, b, true)
	wantNoCapacity(t, w, other)
	wantVolumes(t, w.Existing(other.UID), nil)
	holder.Release()
	takeAll(t, w, b, true)
}

// testNoCapacityUnquiesced: where no pods wait, capacity is waited for by each snapshot,
// and what has none in time has failed.
func testNoCapacityUnquiesced(t *testing.T, w World) {
	other := otherBackup(w)
	reserve(t, w, w.Backup(), true)
	r, err := w.Driver(other).Reserve(t.Context(), allGroups(), optionsWithin(noCapacityWait, false))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	taken, err := r.Take(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantVolumes(t, volumesOf(taken), allVolumes())
	for _, s := range taken {
		if s.Failed == "" {
			t.Errorf("volume %d was taken without capacity: %+v", s.Volume, s)
		}
	}
	wantVolumes(t, w.Existing(other.UID), nil)
}
