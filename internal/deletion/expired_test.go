package deletion

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// expiredBackup has files, a document that says when it expires, and no snapshots.
func expiredBackup(t *testing.T) (*Runner, *memstore.Store, contract.DeleteBackupInput) {
	t.Helper()
	l := layout.Backup{Name: "b"}
	b, st := runnerOf(t, map[string][]byte{l.Tarball(): tarballOf(t), l.Logs(): nil})
	st.Set(l.Metadata(), []byte(`{"metadata":{"name":"b","uid":"u"},"status":{"phase":"Completed","expiration":"2026-03-01T00:00:00Z"}}`))
	return b, st, contract.DeleteBackupInput{Name: "b", UID: "u", ExpiredAt: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), OneActivity: true}
}

// leftOf is what the store has of a backup, or of its deletion.
func leftOf(st *memstore.Store) []string {
	return slices.DeleteFunc(st.Keys(), func(key string) bool { return key == layout.ClusterName("prod") || key == layout.SeenKey })
}

// TestDeleteExpiredResumes: whichever request of an attempt fails, or has its reply lost, the next
// one ends the deletion, also where the first had ended it and nobody heard of that.
func TestDeleteExpiredResumes(t *testing.T) {
	errCut := errors.New("cut")
	for _, lost := range []bool{false, true} {
		for at := 1; ; at++ {
			b, st, in := expiredBackup(t)
			n := 0
			match := func(memstore.Request) bool { n++; return n == at }
			if lost {
				memstore.WithLostReply(match, errCut)(st)
			} else {
				st.Fail(match, errCut)
			}
			_, _ = b.DeleteExpired(t.Context(), &heartbeat.Recorder{}, in) // it fails, or does not
			done := n < at
			st.Heal()
			if _, err := b.DeleteExpired(t.Context(), &heartbeat.Recorder{}, in); err != nil || len(leftOf(st)) > 0 {
				t.Fatalf("request %d, reply lost %t: %v; left %q", at, lost, err, leftOf(st))
			}
			if done {
				break
			}
		}
	}
}

// TestDeleteExpiredRefuses what was given more time, and what another backup has the name of.
func TestDeleteExpiredRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*contract.DeleteBackupInput)
		kind   string
	}{
		"more time":     {func(in *contract.DeleteBackupInput) { in.ExpiredAt = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC) }, contract.ErrTypeDenied},
		"another's uid": {func(in *contract.DeleteBackupInput) { in.UID = "other" }, contract.ErrTypeNotFound},
	} {
		b, st, in := expiredBackup(t)
		before := leftOf(st)
		tc.change(&in)
		_, err := b.DeleteExpired(t.Context(), &heartbeat.Recorder{}, in)
		if failure.TypeOf(err) != tc.kind || !slices.Equal(leftOf(st), before) {
			t.Errorf("%s: %v; left %q", name, err, leftOf(st))
		}
	}
}

// TestDeleteExpiredElsewhere: a worker that has the location in another bucket finds nothing there,
// and does not take that for the end of the deletion.
func TestDeleteExpiredElsewhere(t *testing.T) {
	b, st, in := expiredBackup(t)
	st.Remove(layout.Backup{Name: "b"}.Metadata())
	in.Location, in.Place = "default", "0123456789ab"
	if res, err := b.DeleteExpired(t.Context(), &heartbeat.Recorder{}, in); !failure.IsWrongWorker(err) {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestDeleteExpiredTellsAll that it deleted, and what it could not read.
func TestDeleteExpiredTellsAll(t *testing.T) {
	b, st, in := expiredBackup(t)
	st.Remove(layout.Backup{Name: "b"}.Tarball())
	res, err := b.DeleteExpired(t.Context(), &heartbeat.Recorder{}, in)
	if err != nil || res.Name != "b" || res.Files != 2 || len(res.Retained) != 1 || !strings.Contains(res.Retained[0], "b.tar.gz is missing") {
		t.Errorf("%+v, %v", res, err)
	}
}

// mostRequests is how often the store is asked for a deletion of four files and a snapshot by a
// cluster whose name it does not know yet: 7 deletions, 14 reads of documents, 6 lists, and for each
// file whether it is locked and whether its deletion still goes on.
const mostRequests = 43

// allDeleted is a provider that deletes what it is asked to.
type allDeleted struct{}

func (allDeleted) Check(context.Context, []volume.Ref) error { return nil }

func (allDeleted) Delete(_ context.Context, _ volume.Owner, refs []volume.Ref, done func(volume.Ref, volume.Deletion, error)) error {
	for _, ref := range refs {
		done(ref, volume.Deletion{Outcome: volume.Deleted}, nil)
	}
	return nil
}

// TestRequestsOfADeletion: a collection deletes hundreds of backups, and the store is asked for each
// so often: by each file of the backup, by each of the few documents that say what it is, and by
// what may lie beside it.
func TestRequestsOfADeletion(t *testing.T) {
	b, st, in := expiredBackup(t)
	b.Deleters = map[volume.Method]volume.Deleter{volume.MethodNative: allDeleted{}}
	st.Set(layout.Backup{Name: "b"}.VolumeSnapshots(), zipped(t, "["+nativeA+"]"))
	asked := map[memstore.Op]int{}
	st.Fail(func(r memstore.Request) bool { asked[r.Op]++; return false }, errors.New("unused"))
	res, err := b.DeleteExpired(t.Context(), &heartbeat.Recorder{}, in)
	if err != nil || res.Files != 4 || res.Snapshots != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	total := 0
	for _, n := range asked {
		total += n
	}
	if total > mostRequests {
		t.Errorf("%d requests, want at most %d: %v", total, mostRequests, asked)
	}
}
