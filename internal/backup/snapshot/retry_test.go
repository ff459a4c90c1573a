package snapshot

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/backup/backuptest"
	"github.com/lifeboat-backup/lifeboat/internal/backup/quiesce"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// attempts makes attempts at one unit of four volumes, whose pods have no commands.
type attempts struct {
	run   *backup.Run
	began time.Time
}

func newAttempts(b *volume.Backup) *attempts {
	unit := backup.Unit{Groups: [][]int{{0, 1, 2, 3}}, Pods: []backup.PodHooks{{Namespace: "shop", Name: "db"}}}
	run := &backup.Run{Plan: *backuptest.Plan("nnnn"), Staging: repository.NewStaging(memstore.New(), "uid")}
	run.Plan.Volumes = backup.VolumePlan{Volumes: b.Volumes, Units: []backup.Unit{unit}}
	return &attempts{run, time.Now()}
}

// take is one attempt, from its begin to the result of the unit.
func (a *attempts) take(t *testing.T, number int32, driver volume.Snapshotter) (backup.UnitResult, error) {
	t.Helper()
	ctx := repository.WithAttempt(t.Context(), a.began.Add(time.Duration(number)*time.Second), number)
	q, began := quiesce.New(&backup.Service{}, a.run, 0), time.Now()
	resumed, err := q.Resume(ctx)
	if err != nil {
		return backup.UnitResult{}, err
	}
	s := &unitSnapshot{run: a.run, unit: &a.run.Plan.Volumes.Units[0], quiescer: q, barred: map[volume.Method]bool{}, attempt: number}
	defer s.releaseReservations()
	drivers := volume.Drivers{{Method: volumetest.MethodMemory, Snapshotter: driver}}
	if err := s.reuseEarlier(ctx, drivers, began, resumed); err != nil {
		return backup.UnitResult{}, err
	}
	options := volume.ReserveOptions{Quiesced: true, Deadline: time.Now().Add(time.Minute), TooLate: volume.ErrNoCapacity, Attempt: number}
	if err := s.takeQuiesced(ctx, drivers, options); err != nil {
		return backup.UnitResult{}, err
	}
	return createUnitResult(ctx, a.run, 0, s.unitResult())
}

// standing is the driver of an attempt that stands still at one of its steps until then has
// run, and sees only some of the snapshots.
type standing struct {
	volume.Snapshotter
	at   string
	then func()
	sees int
}

func (s *standing) stand(at string) {
	if s.at == at {
		s.then()
	}
}

func (s *standing) Find(ctx context.Context, volumes []int) ([]volume.Snapshot, error) {
	s.stand("before it looks")
	found, err := s.Snapshotter.Find(ctx, volumes)
	s.stand("when it has looked")
	return found[:min(s.sees, len(found))], err
}

func (s *standing) Forget(ctx context.Context, volumes []int, confirm func(context.Context) error) error {
	s.stand("before it looks what to delete")
	return s.Snapshotter.Forget(ctx, volumes, func(ctx context.Context) error {
		s.stand("before it asks whether it may delete")
		if err := confirm(ctx); err != nil {
			return err
		}
		s.stand("before it deletes")
		return nil
	})
}

func (s *standing) Reserve(ctx context.Context, groups [][]int, o volume.ReserveOptions) (volume.Reservation, error) {
	s.stand("before it reserves")
	return s.Snapshotter.Reserve(ctx, groups, o)
}

// TestLateForget: an attempt stands still somewhere, is taken for dead, and goes on when the
// next one has ended. All snapshots of that one's result are there.
func TestLateForget(t *testing.T) {
	for _, left := range []map[int]bool{nil, {1: true}} { // volumes that the first attempt had no time for
		for _, sees := range []int{2, 4} { // how many snapshots the second one sees
			for _, at := range []string{"before it looks", "when it has looked", "before it looks what to delete", "before it asks whether it may delete", "before it deletes", "before it reserves"} {
				t.Run(fmt.Sprintf("%v left out, %d seen, %s", left, sees, at), func(t *testing.T) { lateForget(t, left, sees, at) })
			}
		}
	}
}

func lateForget(t *testing.T, left map[int]bool, sees int, at string) {
	world := &volumetest.Memory{}
	b := world.Backup()
	all := newAttempts(b)
	_, _ = all.take(t, 1, &dying{world.Driver(b), left})
	time.Sleep(2 * time.Millisecond) // snapshots are older than the next attempt
	stood := false
	_, err := all.take(t, 2, &standing{Snapshotter: world.Driver(b), at: at, sees: sees, then: func() {
		stood = true
		if _, err := all.take(t, 3, world.Driver(b)); err != nil {
			t.Fatal(err)
		}
	}})
	if !stood { // it has no such step, because it uses what it found
		if left != nil || sees < 4 {
			t.Error("it did not stand still")
		}
		return
	}
	t.Logf("the late attempt: %v", err)
	var res backup.UnitResult
	if err := all.run.Staging.Get(t.Context(), repository.UnitSnapshotFile(0), &res); err != nil || res.Attempt != 3 {
		t.Fatalf("%v, result of attempt %d", err, res.Attempt)
	}
	found, err := world.Driver(b).Find(t.Context(), []int{0, 1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, f := range found {
		there[f.ID] = true
	}
	for _, s := range res.Snapshots {
		if s.Failed != "" || !there[s.ID] {
			t.Errorf("volume %d: %s is recorded and not there (%q)", s.Volume, s.ID, s.Failed)
		}
	}
}

// dying is the driver of an attempt that ends once it has taken its snapshots.
type dying struct {
	volume.Snapshotter
	without map[int]bool
}

func (d *dying) Reserve(ctx context.Context, groups [][]int, o volume.ReserveOptions) (volume.Reservation, error) {
	r, err := d.Snapshotter.Reserve(ctx, groups, o)
	return &dyingReservation{r, d.without}, err
}

type dyingReservation struct {
	volume.Reservation
	without map[int]bool
}

func (d *dyingReservation) Take(ctx context.Context, _ map[int]bool) ([]volume.Snapshot, error) {
	_, _ = d.Reservation.Take(ctx, d.without)
	return nil, context.Canceled
}
