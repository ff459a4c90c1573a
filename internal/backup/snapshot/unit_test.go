package snapshot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/backup/backuptest"
	"github.com/lifeboat-backup/lifeboat/internal/backup/quiesce"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// TestNoCapacityIsOfTheVolumes: a driver without capacity fails its volumes and not the
// unit, and nothing is reserved.
func TestNoCapacityIsOfTheVolumes(t *testing.T) {
	s := &unitSnapshot{run: &backup.Run{Plan: *backuptest.Plan("cc")}, unit: &backup.Unit{Groups: [][]int{{0}, {1}}}, quiescer: &quiesce.Quiescer{}}
	err := s.reserveCapacity(t.Context(), volume.Drivers{{Method: volume.MethodCSI, Snapshotter: fullDriver{}}}, volume.ReserveOptions{})
	if err != nil || len(s.reservations) != 0 || len(s.snapshots) != 2 || !strings.Contains(s.snapshots[0].Failed, "no room") {
		t.Errorf("%v, %+v", err, s.snapshots)
	}
}

// fullDriver is a driver that has no capacity.
type fullDriver struct{ volume.Snapshotter }

func (fullDriver) IsPermanent(error) bool { return false }

func (fullDriver) Reserve(context.Context, [][]int, volume.ReserveOptions) (volume.Reservation, error) {
	return nil, volume.ErrNoCapacity
}

// failing is a taker that has one of its snapshots and then fails.
type failing struct{ volume.Reservation }

func (failing) Take(context.Context, map[int]bool) ([]volume.Snapshot, error) {
	return []volume.Snapshot{{Volume: 0, ID: "snap-0"}}, errors.New("EC2 does not answer")
}

// TestLastQuiesce: what was had in the last one is kept, what was not has failed.
func TestLastQuiesce(t *testing.T) {
	for _, last := range []bool{false, true} {
		s := &unitSnapshot{
			run: &backup.Run{Plan: *backuptest.Plan("nn")}, unit: &backup.Unit{Groups: [][]int{{0}, {1}}, Pods: []backup.PodHooks{{}}},
			quiescer: &quiesce.Quiescer{}, reservations: []volume.Reservation{failing{}},
		}
		err := s.takeSnapshots(t.Context(), nil, last)
		res := s.unitResult()
		sum := res.Summary()
		if (err == nil) != last || last && (sum.Taken != 1 || sum.Failed != 1 || !strings.Contains(res.Reasons[0].Message, "does not answer")) {
			t.Errorf("last %t: %v, %+v", last, err, res)
		}
	}
}

// TestResultOfALaterAttemptStays: an attempt that was taken for dead does not write over the
// result of the one that took its place, nor does its result stay in the way of that one's.
func TestResultOfALaterAttemptStays(t *testing.T) {
	of := func(attempt int32) backup.UnitResult {
		return backup.UnitResult{Attempt: attempt, Snapshots: []volume.Snapshot{{Volume: 0, ID: fmt.Sprint("snap-", attempt)}}}
	}
	for _, order := range [][]int32{{1, 2}, {2, 1}, {2, 1, 2}} {
		o := &backup.Run{Staging: repository.NewStaging(memstore.New(), "uid")}
		var last backup.UnitResult
		for _, attempt := range order {
			res, err := createUnitResult(t.Context(), o, 0, of(attempt))
			if err != nil {
				t.Fatal(err)
			}
			last = res
		}
		var stored backup.UnitResult
		if err := o.Staging.Get(t.Context(), repository.UnitSnapshotFile(0), &stored); err != nil || stored.Snapshots[0].ID != "snap-2" || last.Attempt != 2 {
			t.Errorf("attempts %v: stored %+v, returned %+v, %v", order, stored, last, err)
		}
	}
}

func TestVolumeStatus(t *testing.T) {
	o := &backup.Run{Plan: *backuptest.Plan("nnn")}
	for i, gib := range []int64{1, 3, 100} {
		o.Plan.Volumes.Volumes[i].Capacity = gib << 30
	}
	got := statusOf(o, map[int]volume.Status{
		0: {Phase: volume.StatusCompleted, Percent: 100}, 1: {Phase: volume.StatusPending, Percent: 50}, 2: {Phase: volume.StatusFailed},
	})
	if want := (contract.VolumeStatus{Completed: 1, Pending: 1, Failed: 1, Percent: 62}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := statusOf(o, nil); got != (contract.VolumeStatus{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

// fakeDriver is a driver that has some snapshots, and may refuse to forget them.
type fakeDriver struct {
	volume.Snapshotter
	have      []volume.Snapshot
	refuses   error
	forgotten []int
}

func (f *fakeDriver) Find(context.Context, []int) ([]volume.Snapshot, error) { return f.have, nil }

func (f *fakeDriver) Forget(_ context.Context, volumes []int, _ func(context.Context) error) error {
	f.forgotten = append(f.forgotten, volumes...)
	return f.refuses
}

func (f *fakeDriver) IsPermanent(err error) bool { return errors.Is(err, errDenied) }

// errPassing is an error that may pass, errDenied one that does not.
var (
	errPassing = errors.New("is still being deleted")
	errDenied  = errors.New("denied")
)

// TestReuseOfALostAttempt: of pods with hooks, the snapshots of a lost attempt are used as a
// whole or not at all.
func TestReuseOfALostAttempt(t *testing.T) {
	unquiesced := time.Now()
	before, later := volume.Snapshot{At: unquiesced.Add(-time.Second)}, volume.Snapshot{At: unquiesced.Add(time.Second)}
	for name, tc := range map[string]struct {
		have    []volume.Snapshot
		refuses error
		reused  bool
		failed  int
	}{
		"all":                       {have: []volume.Snapshot{before, before}, reused: true},
		"a part":                    {have: []volume.Snapshot{before}},
		"none":                      {},
		"one after unquiescing":     {have: []volume.Snapshot{before, later}},
		"a part that cannot go":     {have: []volume.Snapshot{before}, refuses: errDenied, failed: 2},
		"a part that may go later ": {have: []volume.Snapshot{before}, refuses: errPassing},
	} {
		t.Run(name, func(t *testing.T) {
			unit := backup.Unit{Groups: [][]int{{0, 1}}, Pods: []backup.PodHooks{{Namespace: "shop", Name: "db"}}}
			driver := &fakeDriver{have: tc.have, refuses: tc.refuses}
			s := &unitSnapshot{
				run: &backup.Run{Plan: *backuptest.Plan("nn")}, unit: &unit, barred: map[volume.Method]bool{}, attempt: 2,
			}
			s.run.Plan.Volumes.Units = []backup.Unit{unit}
			s.quiescer = quiesce.New(&backup.Service{}, s.run, 0)
			err := s.reuseEarlier(t.Context(), volume.Drivers{{Method: volume.MethodNative, Snapshotter: driver}}, unquiesced, true)
			if wantErr := errors.Is(tc.refuses, errPassing); (err != nil) != wantErr {
				t.Fatalf("%v", err)
			}
			if reused := s.quiescer.IsReused(); reused != tc.reused || reused == (len(driver.forgotten) > 0) {
				t.Errorf("reused %t, forgot %v", reused, driver.forgotten)
			}
			if len(s.snapshots) != tc.failed || s.barred[volume.MethodNative] != (tc.failed > 0) {
				t.Errorf("failed %+v, barred %v", s.snapshots, s.barred)
			}
		})
	}
}
