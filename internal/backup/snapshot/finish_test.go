package snapshot

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// TestStatusPercent: how far snapshots are is told of their bytes, so that one large
// volume is not hidden behind small ones; those that failed will never be there.
func TestStatusPercent(t *testing.T) {
	const gib = 1 << 30
	o := &backup.Run{}
	for _, size := range []int64{1000 * gib, gib, 100 * gib, 0} {
		o.Plan.Volumes.Volumes = append(o.Plan.Volumes.Volumes, volume.Volume{Capacity: size})
	}
	pending := func(percent int) volume.Status {
		return volume.Status{Phase: volume.StatusPending, Percent: percent}
	}
	done := volume.Status{Phase: volume.StatusCompleted, Percent: 100}
	for name, tc := range map[string]struct {
		states map[int]volume.Status
		want   contract.VolumeStatus
	}{
		"none":        {nil, contract.VolumeStatus{}},
		"one":         {map[int]volume.Status{0: pending(43)}, contract.VolumeStatus{Pending: 1, Percent: 43}},
		"a large one": {map[int]volume.Status{0: pending(43), 1: done, 3: done}, contract.VolumeStatus{Completed: 2, Pending: 1, Percent: 43}},
		"a failed one": {
			map[int]volume.Status{0: {Phase: volume.StatusFailed, Percent: 90}, 2: pending(20)},
			contract.VolumeStatus{Failed: 1, Pending: 1, Percent: 20},
		},
		"all": {map[int]volume.Status{0: done, 1: done, 2: done, 3: done}, contract.VolumeStatus{Completed: 4, Percent: 100}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := statusOf(o, tc.states); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// impatient is a driver to which the snapshot of one volume has failed.
type impatient struct {
	volume.Snapshotter
	failed int
}

func (d impatient) Status(ctx context.Context, all []volume.Snapshot) (map[int]volume.Status, error) {
	states, err := d.Snapshotter.Status(ctx, all)
	if _, asked := states[d.failed]; asked {
		states[d.failed] = volume.Status{Phase: volume.StatusFailed, Detail: "not complete yet"}
	}
	return states, err
}

// wavering is a driver whose answer is older than the one before it, for some looks.
type wavering struct {
	volume.Snapshotter
	looks *int
}

func (d wavering) Status(ctx context.Context, all []volume.Snapshot) (map[int]volume.Status, error) {
	states, err := d.Snapshotter.Status(ctx, all)
	if *d.looks--; *d.looks >= 0 {
		for i := range states {
			states[i] = volume.Status{Phase: volume.StatusPending}
		}
	}
	return states, err
}

// TestOlderAnswerOfEC2: a snapshot that was complete and is said to be pending is asked for again,
// and if that lasts it has failed, with a reason.
func TestOlderAnswerOfEC2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for looks, failed := range map[int]bool{0: false, 3: false, 1000: true} {
			s, drivers, _ := takenUnit(t, memstore.New())
			s.run.Plan.Backup.Spec.ItemOperationTimeout.Duration = time.Hour
			drivers = slices.Clone(drivers)
			drivers[0].Snapshotter = wavering{drivers[0].Snapshotter, &looks}
			f := &finisher{o: s.run, drivers: drivers}
			if err := f.settleSnapshots(t.Context()); err != nil {
				t.Fatal(err)
			}
			if failed != (len(f.reasons) > 0) || failed && !strings.Contains(f.reasons[0].Message, "was complete, and is not any more") {
				t.Errorf("%d looks: %v", looks, f.reasons)
			}
		}
	})
}

// TestLateFinishDeletesNothingThatIsKept: of two attempts one was taken for dead, and sees a
// snapshot as failed that the other sees completed. Whichever settles first, what is kept is
// there, and all attempts agree on it.
func TestLateFinishDeletesNothingThatIsKept(t *testing.T) {
	for name, tc := range map[string]struct {
		lateFirst, ended bool
		kept             int
	}{
		"the late one stands still before it settles": {kept: 4},
		"the late one has settled":                    {lateFirst: true, kept: 3},
		"the run has ended meanwhile":                 {ended: true, kept: 4},
	} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			s, drivers, worlds := takenUnit(t, st)
			late := slices.Clone(drivers)
			late[0].Snapshotter = impatient{drivers[0].Snapshotter, 0}
			first, second := &finisher{o: s.run, drivers: late}, &finisher{o: s.run, drivers: drivers}
			finish := func(f *finisher) error {
				return errors.Join(f.settle(t.Context()), f.discardIncomplete(t.Context()))
			}
			st.Intercept(func(_ context.Context, r memstore.Request) error {
				if tc.lateFirst || r.Key != s.run.Staging.Key(repository.SettledFile) || r.Op != memstore.OpPut {
					return nil
				}
				st.Intercept(nil)
				err := finish(second)
				if tc.ended {
					err = errors.Join(err, s.run.Staging.Clear(t.Context()))
				}
				return err
			})
			if err := first.settle(t.Context()); (err != nil) != tc.ended {
				t.Fatalf("settle: %v", err)
			} else if err == nil {
				if err := errors.Join(finish(second), first.discardIncomplete(t.Context())); err != nil {
					t.Fatal(err)
				}
			}
			there := 0
			for _, w := range worlds {
				there += len(w.Existing("uid"))
			}
			kept := 0
			for _, e := range second.final.Ended {
				if e.Failed == "" {
					kept++
				}
			}
			if there != tc.kept || kept != tc.kept || !tc.ended && !reflect.DeepEqual(first.final, second.final) {
				t.Errorf("%d snapshots are there, %d are kept, want %d; %+v", there, kept, tc.kept, first.final)
			}
		})
	}
}

// takenUnit is a run, in st, whose one unit has snapshots of three technologies, all complete.
func takenUnit(t *testing.T, st *memstore.Store) (*unitSnapshot, volume.Drivers, map[volume.Method]*volumetest.Memory) {
	t.Helper()
	s, drivers, worlds := threeTechnologies()
	s.run.Staging = repository.NewStaging(st, "uid")
	if err := s.run.Staging.Put(t.Context(), repository.PlanFile, &s.run.Plan); err != nil {
		t.Fatal(err)
	}
	options := volume.ReserveOptions{Quiesced: true, Deadline: time.Now().Add(time.Minute), TooLate: volume.ErrNoCapacity, Attempt: 1}
	if err := s.takeQuiesced(t.Context(), drivers, options); err != nil {
		t.Fatal(err)
	}
	s.releaseReservations()
	if _, err := createUnitResult(t.Context(), s.run, 0, s.unitResult()); err != nil {
		t.Fatal(err)
	}
	for statusOf(s.run, mustStates(t, s, drivers)).Completed < len(s.snapshots) {
		time.Sleep(time.Millisecond)
	}
	return s, drivers, worlds
}

func mustStates(t *testing.T, s *unitSnapshot, drivers volume.Drivers) map[int]volume.Status {
	t.Helper()
	states, err := s.run.SnapshotStates(t.Context(), drivers, s.snapshots)
	if err != nil {
		t.Fatal(err)
	}
	return states
}
