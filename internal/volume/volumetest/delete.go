package volumetest

import (
	"context"
	"sync"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// DeleteWorld is a provider whose snapshots are deleted, seen from outside of the driver.
type DeleteWorld interface {
	// Deleter makes the driver anew, as a worker does that has just started.
	Deleter() volume.Deleter
	// Snapshot makes a complete snapshot of a volume of the backup.
	Snapshot(owner volume.Owner, pv string) volume.Ref
	// Exists says whether the provider has a snapshot.
	Exists(ref volume.Ref) bool
	// Delete lets somebody else delete a snapshot.
	Delete(ref volume.Ref)
	// LoseReply lets the next deletion be carried out and who asked for it hear nothing of it.
	LoseReply()
	// Lock lets the provider keep a snapshot, whoever wants to delete it.
	Lock(ref volume.Ref)
	// Deny forbids the driver to delete a snapshot until Allow.
	Deny(ref volume.Ref)
	Allow()
}

// DeleteFactory runs a test in a DeleteWorld without snapshots, in virtual time or in real time.
type DeleteFactory func(t *testing.T, test func(*testing.T, DeleteWorld))

// RunDeleter tests how a driver deletes. Each test has a world of its own.
func RunDeleter(t *testing.T, in DeleteFactory) {
	for name, test := range map[string]func(*testing.T, DeleteWorld){
		"check deletes nothing":     testCheckDeletesNothing,
		"delete":                    testDelete,
		"delete twice":              testDeleteTwice,
		"delete what is gone":       testDeleteGone,
		"resume after a lost reply": testDeleteLostReply,
		"denied":                    testDeleteDenied,
		"locked":                    testDeleteLocked,
		"cancelled":                 testDeleteCancelled,
		"none":                      testDeleteNone,
		"of another method":         testDeleteStrange,
	} {
		t.Run(name, func(t *testing.T) { in(t, test) })
	}
}

func deleteOwner() volume.Owner { return volume.Owner{Name: "b", UID: "uid"} }

// threeSnapshots makes the snapshots that are to be deleted.
func threeSnapshots(w DeleteWorld) []volume.Ref {
	return []volume.Ref{w.Snapshot(deleteOwner(), "pv-0"), w.Snapshot(deleteOwner(), "pv-1"), w.Snapshot(deleteOwner(), "pv-2")}
}

// deletionEnd is what done was told of one snapshot.
type deletionEnd struct {
	volume.Deletion
	err error
}

// deleteAll deletes snapshots. What done is told it is told once of each of them, unless the error
// is of them all.
func deleteAll(ctx context.Context, t *testing.T, w DeleteWorld, refs []volume.Ref) (map[string]deletionEnd, error) {
	t.Helper()
	var mu sync.Mutex
	ends := map[string]deletionEnd{}
	err := w.Deleter().Delete(ctx, deleteOwner(), refs, func(ref volume.Ref, end volume.Deletion, err error) {
		mu.Lock()
		defer mu.Unlock()
		if _, again := ends[ref.String()]; again {
			t.Errorf("%s is told twice", ref)
		}
		ends[ref.String()] = deletionEnd{end, err}
	})
	if err == nil && len(ends) != len(refs) {
		t.Errorf("%d of %d snapshots are told", len(ends), len(refs))
	}
	return ends, err
}

// wantDeletions deletes snapshots and wants these outcomes, a reason for each that is retained, and
// that exactly those exist afterwards.
func wantDeletions(t *testing.T, w DeleteWorld, refs []volume.Ref, want ...volume.Outcome) {
	t.Helper()
	ends, err := deleteAll(t.Context(), t, w, refs)
	if err != nil {
		t.Fatal(err)
	}
	for i, ref := range refs {
		end := ends[ref.String()]
		isRetained := want[i] == volume.Retained
		if end.err != nil || end.Outcome != want[i] || (end.Reason != "") != isRetained {
			t.Errorf("%s: %+v, %v; want %s", ref, end.Deletion, end.err, want[i])
		}
		if w.Exists(ref) != isRetained {
			t.Errorf("%s is %s and exists: %t", ref, want[i], w.Exists(ref))
		}
	}
}

// testCheckDeletesNothing: what can be reached is accepted, and is there afterwards.
func testCheckDeletesNothing(t *testing.T, w DeleteWorld) {
	refs := threeSnapshots(w)
	if err := w.Deleter().Check(t.Context(), refs); err != nil {
		t.Error(err)
	}
	for _, ref := range refs {
		if !w.Exists(ref) {
			t.Errorf("%s was deleted", ref)
		}
	}
}

// testDelete: those that are named are deleted, and the backup's others are not.
func testDelete(t *testing.T, w DeleteWorld) {
	refs := threeSnapshots(w)
	other := w.Snapshot(deleteOwner(), "pv-3")
	wantDeletions(t, w, refs, volume.Deleted, volume.Deleted, volume.Deleted)
	if !w.Exists(other) {
		t.Errorf("%s was deleted, which nobody named", other)
	}
}

// testDeleteTwice: a second attempt, which knows nothing of the first, finds them gone.
func testDeleteTwice(t *testing.T, w DeleteWorld) {
	refs := threeSnapshots(w)
	wantDeletions(t, w, refs, volume.Deleted, volume.Deleted, volume.Deleted)
	wantDeletions(t, w, refs, volume.Gone, volume.Gone, volume.Gone)
}

// testDeleteGone: what somebody else has deleted is told as gone, and keeps no other.
func testDeleteGone(t *testing.T, w DeleteWorld) {
	refs := threeSnapshots(w)
	w.Delete(refs[1])
	wantDeletions(t, w, refs, volume.Deleted, volume.Gone, volume.Deleted)
}

// testDeleteLostReply: a deletion of which nobody heard fails one snapshot at most, and the next
// attempt finds all of them gone.
func testDeleteLostReply(t *testing.T, w DeleteWorld) {
	refs := threeSnapshots(w)
	w.LoseReply()
	ends, err := deleteAll(t.Context(), t, w, refs)
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for ref, end := range ends {
		if end.err != nil {
			failed++
		} else if end.Outcome != volume.Deleted {
			t.Errorf("%s: %+v", ref, end.Deletion)
		}
	}
	if failed > 1 {
		t.Errorf("one reply was lost, and %d snapshots failed", failed)
	}
	wantDeletions(t, w, refs, volume.Gone, volume.Gone, volume.Gone)
}

// testDeleteDenied: what the driver may not delete is an error or is retained, and never told as
// deleted or gone; the others are deleted, and once it may, this one is too.
func testDeleteDenied(t *testing.T, w DeleteWorld) {
	refs := threeSnapshots(w)
	w.Deny(refs[1])
	ends, err := deleteAll(t.Context(), t, w, refs)
	if err != nil {
		t.Fatal(err)
	}
	if end := ends[refs[1].String()]; end.err == nil && (end.Outcome != volume.Retained || end.Reason == "") || !w.Exists(refs[1]) {
		t.Errorf("%s was denied: %+v", refs[1], end)
	}
	for _, ref := range []volume.Ref{refs[0], refs[2]} {
		if end := ends[ref.String()]; end.err != nil || end.Outcome != volume.Deleted {
			t.Errorf("%s: %+v", ref, end)
		}
	}
	w.Allow()
	wantDeletions(t, w, refs, volume.Gone, volume.Deleted, volume.Gone)
}

// testDeleteLocked: what the provider keeps is retained with the reason, in each attempt.
func testDeleteLocked(t *testing.T, w DeleteWorld) {
	refs := threeSnapshots(w)
	w.Lock(refs[1])
	wantDeletions(t, w, refs, volume.Deleted, volume.Retained, volume.Deleted)
	wantDeletions(t, w, refs, volume.Gone, volume.Retained, volume.Gone)
}

// testDeleteCancelled: who was stopped before it asked tells of no snapshot that it has an end.
func testDeleteCancelled(t *testing.T, w DeleteWorld) {
	refs := threeSnapshots(w)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ends, err := deleteAll(ctx, t, w, refs)
	for _, ref := range refs {
		end, told := ends[ref.String()]
		if told && end.err == nil || !told && err == nil {
			t.Errorf("%s: %+v, %v", ref, end, err)
		}
		if !w.Exists(ref) {
			t.Errorf("%s was deleted", ref)
		}
	}
}

// testDeleteNone: there may be nothing to delete.
func testDeleteNone(t *testing.T, w DeleteWorld) { wantDeletions(t, w, nil) }

// testDeleteStrange: a snapshot of another method is an error, its own or that of all.
func testDeleteStrange(t *testing.T, w DeleteWorld) {
	ends, err := deleteAll(t.Context(), t, w, []volume.Ref{strangeRef{}})
	if err == nil && ends[strangeRef{}.String()].err == nil {
		t.Errorf("a snapshot of another method is deleted: %+v", ends)
	}
}
