package ebs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// TestWorkersShareTheAccount: workers know nothing of one another but what EC2
// shows them. Refusals happen; they stay few, and nobody gets to see one.
func TestWorkersShareTheAccount(t *testing.T) {
	limits := slow()
	inWorld(t, limits, nil, func(t *testing.T, w *world) {
		volumes := w.volumes(180)
		workers := []*Location{w.location(), w.location(), w.location()}
		took, least := w.snapshotAll(workers, volumes), limits.Least(180, sizeGiB)
		refused := 0
		for _, n := range w.refusals() {
			refused += n
		}
		t.Logf("%v, the limits allow %v: %.2f; refused %v", took, least, took.Seconds()/least.Seconds(), w.refusals())
		if took > least*2 || refused > 90 {
			t.Errorf("three workers took %v where %v is the least; %d refusals", took, least, refused)
		}
	})
}

// TestAccountWithLess: an account whose quotas are half of the published ones,
// which nobody told us.
func TestAccountWithLess(t *testing.T) {
	limits := slow()
	limits.PendingPerAccount, limits.Buckets["CreateSnapshot"] = 40, ebssim.Bucket{Size: 20, Refill: 2}
	inWorld(t, limits, nil, func(t *testing.T, w *world) {
		volumes := w.volumes(120)
		took, least := w.snapshotAll([]*Location{w.location()}, volumes), limits.Least(120, sizeGiB)
		t.Logf("%v, the limits allow %v: %.2f; refused %v", took, least, took.Seconds()/least.Seconds(), w.refusals())
		if took > least*2 {
			t.Errorf("took %v where %v is the least", took, least)
		}
	})
}

// TestOneBackupInAForeignCrowd: others hold most of the account's slots.
func TestOneBackupInAForeignCrowd(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		volumes := w.volumes(150)
		for _, v := range volumes[:90] { // somebody's else snapshots, which hang
			w.fault(ebssim.Fault{Effect: ebssim.EffectSnapshotStuck, Volume: v.ID})
		}
		if err := w.foreign(volumes[:90]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.ClearAudit()
		l, wg := w.location(), sync.WaitGroup{}
		for i, v := range volumes[90:] {
			wg.Go(func() {
				if _, err := l.Snapshot(t.Context(), uid, request(v, fmt.Sprint("pv-", i))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if bad := w.refusals(); len(bad) > 0 {
			t.Errorf("refused: %v", bad)
		}
	})
}

// foreign makes snapshots as somebody else would, without a look at any limit.
func (w *world) foreign(volumes []Volume) error {
	for _, v := range volumes {
		_, err := w.admin.ec2.CreateSnapshot(w.t.Context(), &ec2.CreateSnapshotInput{VolumeId: aws.String(v.ID)})
		if err != nil {
			return err
		}
	}
	return nil
}

func TestHDDVolumesTakeOneSnapshotAtATime(t *testing.T) {
	limits := slow()
	limits.SnapshotInterval, limits.PendingPerVolume = ebssim.Duration(0), 1
	inWorld(t, limits, nil, func(t *testing.T, w *world) {
		v := w.volume(func(in *ec2.CreateVolumeInput) { in.VolumeType, in.Size = types.VolumeTypeSt1, aws.Int32(125) })
		time.Sleep(time.Minute)
		w.ClearAudit()
		l, start := w.location(), time.Now()
		for i := range 3 {
			run := fmt.Sprint("run-", i)
			if _, err := l.Snapshot(t.Context(), run, requestOf(run, v, "pv")); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < time.Minute || len(w.refusals()) > 0 {
			t.Errorf("three snapshots of half a minute each were begun in %v; refused %v", took, w.refusals())
		}
	})
}

// TestReservationDoesNotWait: once it is there, snapshots are asked for at once,
// however busy the account is.
func TestReservationDoesNotWait(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		volumes := w.volumes(150)
		l := w.location()
		frozen, busy := volumes[:5], volumes[5:]
		var wg sync.WaitGroup
		for i, v := range busy {
			wg.Go(func() {
				if _, err := l.Snapshot(t.Context(), uid, request(v, fmt.Sprint("busy-", i))); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(2 * time.Second)
		res, err := l.Reserve(t.Context(), frozen)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for i, v := range frozen {
			if _, err := res.Snapshot(t.Context(), uid, request(v, fmt.Sprint("pv-", i))); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took > 10*3*latency {
			t.Errorf("five snapshots under a reservation took %v", took)
		}
		res.Release()
		res.Release()
		wg.Wait()
		if bad := w.refusals(); len(bad) > 0 {
			t.Errorf("refused: %v", bad)
		}
		w.nothingHeld(l)
	})
}

// nothingHeld: whatever was reserved was used or given back, so that once all snapshots
// are complete the whole account and every volume can be reserved.
func (w *world) nothingHeld(l *Location) {
	w.t.Helper()
	time.Sleep(time.Minute)
	var all []Volume
	for _, v := range w.State().Volumes {
		all = append(all, Volume{ID: v.ID})
	}
	for len(all) < quota.DefaultLimits().Pending {
		all = append(all, Volume{ID: fmt.Sprint("vol-", len(all))})
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	res, err := l.Reserve(ctx, all)
	if err != nil {
		w.t.Fatalf("slots or volumes are held by nobody: %v", err)
	}
	res.Release()
}

func TestReservationsOfTheSameVolumesInAnyOrder(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(2)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				pair := []Volume{v[i%2], v[1-i%2], v[0]} // one of them twice
				res, err := l.Reserve(t.Context(), pair)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Second)
				res.Release()
			})
		}
		wg.Wait()
		w.nothingHeld(l)
	})
}

func TestReserveEndsWithTheContext(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(2)
		first, err := l.Reserve(t.Context(), v[:1])
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := l.Reserve(ctx, v); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a volume reserved twice: %v", err)
		}
		first.Release()
		w.nothingHeld(l)
	})
}

// TestReserveMoreThanThereIs: of more volumes than the account has slots for, as
// many as there are are reserved; the rest waits its turn later.
func TestReserveMoreThanThereIs(t *testing.T) {
	limits := slow()
	limits.PendingPerAccount = 100
	inWorld(t, limits, nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(120)
		res, err := l.Reserve(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range v {
			wg.Go(func() {
				if _, err := res.Snapshot(t.Context(), uid, request(v[i], fmt.Sprint("pv-", i))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		res.Release()
		w.nothingHeld(l)
		if bad := w.refusals(); len(bad) > 0 {
			t.Errorf("refused: %v", bad)
		}
	})
}

// TestThreeHundredVolumesOfTwelveInstances: groups wait for all their slots at
// once, and nobody overtakes them.
func TestThreeHundredVolumesOfTwelveInstances(t *testing.T) {
	limits := slow()
	inWorld(t, limits, nil, func(t *testing.T, w *world) {
		const each, machines = 25, 12
		volumes := w.volumes(each * machines)
		l, wg := w.location(), sync.WaitGroup{}
		for m := range machines {
			id := fmt.Sprintf("i-%017d", m)
			if err := w.AddInstance(ebssim.Instance{ID: id, Zone: zone}); err != nil {
				t.Fatal(err)
			}
			for i, v := range volumes[m*each : (m+1)*each] {
				w.attachTo(id, v, fmt.Sprintf("/dev/xvd%c%c", 'b'+i/20, 'a'+i%20))
			}
		}
		time.Sleep(10 * time.Minute)
		w.ClearAudit()
		start := time.Now()
		for m := range machines {
			wg.Go(func() {
				var rs []Request
				for i, v := range volumes[m*each : (m+1)*each] {
					rs = append(rs, request(v, fmt.Sprintf("pv-%d-%d", m, i)))
				}
				if _, err := l.SnapshotInstance(t.Context(), uid, fmt.Sprintf("i-%017d", m), rs); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for w.completed() < len(volumes) {
			time.Sleep(250 * time.Millisecond)
		}
		took, least := time.Since(start), 3*limits.SnapshotBase.D()
		t.Logf("%v, the limits allow %v: %.2f", took, least, took.Seconds()/least.Seconds())
		if bad := w.refusals(); len(bad) > 0 || took > least*12/10 || len(w.snapshots()) != len(volumes) {
			t.Errorf("%d snapshots, refused: %v", len(w.snapshots()), bad)
		}
		w.nothingHeld(l)
	})
}
