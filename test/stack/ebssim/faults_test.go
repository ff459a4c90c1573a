package ebssim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

func (r rig) fault(t *testing.T, f ebssim.Fault) ebssim.Fault {
	t.Helper()
	return must[ebssim.Fault](t)(r.AddFault(f))
}

func (r rig) take(ctx context.Context, volume string) error {
	_, err := r.ec2.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{VolumeId: aws.String(volume)})
	return err
}

// A fault hits what it matches, as often as it says, and counts.
func TestFaultsMatchAndCount(t *testing.T) {
	r := start(t, nil)
	hit, other := r.newVolume(t, "app", "db"), r.newVolume(t)
	f := r.fault(t, ebssim.Fault{
		Action: "Create*", Tags: map[string]string{"app": "db"}, Effect: ebssim.EffectError, Times: 2,
		Code: "InternalError", Status: 500, Message: "on purpose",
	})
	for range 2 {
		wantCode(t, r.take(t.Context(), hit), "InternalError")
		if err := r.take(t.Context(), other); err != nil {
			t.Fatal(err)
		}
	}
	r.volume(t, hit)
	if err := r.take(t.Context(), hit); err != nil {
		t.Fatal(err)
	}
	if got := r.Faults(); len(got) != 1 || got[0].Hits != 2 || got[0].ID != f.ID {
		t.Fatalf("got %+v", got)
	}
	if n := len(r.State().Snapshots); n != 3 {
		t.Fatalf("%d snapshots, want 3", n)
	}
}

func TestThrottleForAWhile(t *testing.T) {
	r := start(t, nil)
	id := r.newVolume(t)
	r.fault(t, ebssim.Fault{Action: "CreateSnapshot", Volume: id, Effect: ebssim.EffectThrottle, For: ebssim.Duration(10 * time.Second)})
	for range 5 {
		wantCode(t, r.take(t.Context(), id), "RequestLimitExceeded")
	}
	r.clock.Advance(10 * time.Second)
	if err := r.take(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// A connection that drops tells the client nothing of whether the work was done.
func TestDroppedConnections(t *testing.T) {
	for effect, want := range map[string]int{ebssim.EffectDropBefore: 0, ebssim.EffectDropAfter: 1} {
		t.Run(effect, func(t *testing.T) {
			r := start(t, nil)
			id := r.newVolume(t)
			f := r.fault(t, ebssim.Fault{Action: "CreateSnapshot", Effect: effect})
			err := r.take(t.Context(), id)
			if err == nil || !strings.Contains(err.Error(), "EOF") {
				t.Fatalf("got %v", err)
			}
			if n := len(r.State().Snapshots); n != want {
				t.Fatalf("%d snapshots, want %d", n, want)
			}
			audit := r.Audit()
			if last := audit[len(audit)-1]; !strings.HasPrefix(last.Result, "dropped") {
				t.Fatalf("audited as %q", last.Result)
			}
			if !r.RemoveFault(f.ID) || r.RemoveFault(f.ID) {
				t.Fatal("the fault was not removed once")
			}
			if err := r.take(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestLate: what a client has asked for is done although it has gone.
func TestLate(t *testing.T) {
	r := start(t, nil)
	id := r.newVolume(t)
	r.fault(t, ebssim.Fault{Action: "CreateSnapshot", Effect: ebssim.EffectLate, Delay: ebssim.Duration(100 * time.Millisecond), Times: 1})
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := r.take(short, id); err == nil {
		t.Fatal("100 ms passed in 20")
	}
	for end := time.Now().Add(10 * time.Second); len(r.State().Snapshots) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was done")
		}
	}
}

func TestDelay(t *testing.T) {
	r := start(t, nil)
	id := r.newVolume(t)
	r.fault(t, ebssim.Fault{Action: "CreateSnapshot", Effect: ebssim.EffectDelay, Delay: ebssim.Duration(time.Hour), Times: 1})
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := r.take(short, id); err == nil {
		t.Fatal("an hour passed in 20 ms")
	}
	if err := r.take(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if n := len(r.State().Snapshots); n != 1 {
		t.Fatalf("%d snapshots: the client that had gone got one", n)
	}
}

func TestSnapshotsThatFailOrHang(t *testing.T) {
	r := start(t, nil)
	bad, stuck, good := r.newVolume(t), r.newVolume(t), r.newVolume(t)
	r.fault(t, ebssim.Fault{Volume: bad, Effect: ebssim.EffectSnapshotError})
	r.fault(t, ebssim.Fault{Volume: stuck, Effect: ebssim.EffectSnapshotStuck})
	for i, id := range []string{bad, stuck, good} {
		r.attach(t, id, "/dev/xvd"+string(rune('b'+i)))
	}
	taken := r.ofInstance(t, ec2.CreateSnapshotsInput{})
	r.clock.Advance(time.Hour)
	for volume, want := range map[string]types.SnapshotState{
		bad: types.SnapshotStateError, stuck: types.SnapshotStatePending, good: types.SnapshotStateCompleted,
	} {
		if got := must[types.Snapshot](t)(r.snapshotState(t.Context(), *taken[volume].SnapshotId)); got.State != want {
			t.Errorf("got %s, want %s", got.State, want)
		}
	}
	failed := must[types.Snapshot](t)(r.snapshotState(t.Context(), *taken[bad].SnapshotId))
	if failed.StateMessage == nil || failed.CompletionTime != nil {
		t.Fatalf("got %+v", failed)
	}
	if err := r.MoveSnapshot(*taken[stuck].SnapshotId, "completed"); err != nil {
		t.Fatal(err)
	}
	if got := must[types.Snapshot](t)(r.snapshotState(t.Context(), *taken[stuck].SnapshotId)); got.State != types.SnapshotStateCompleted {
		t.Fatal(got.State)
	}
}

func TestVolumesThatAreNeverReady(t *testing.T) {
	r := start(t, nil)
	r.fault(t, ebssim.Fault{Effect: ebssim.EffectVolumeStuck, Times: 1})
	stuck, good := r.newVolume(t), r.newVolume(t)
	r.clock.Advance(time.Hour)
	for id, want := range map[string]types.VolumeState{stuck: types.VolumeStateCreating, good: types.VolumeStateAvailable} {
		out := must[*ec2.DescribeVolumesOutput](t)(r.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{VolumeIds: []string{id}}))
		if got := out.Volumes[0].State; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Failed snapshots count against their volume until they are deleted.
func TestFailedSnapshotsCountAgainstTheirVolume(t *testing.T) {
	r := start(t, nil)
	id := r.newVolume(t)
	r.fault(t, ebssim.Fault{Effect: ebssim.EffectSnapshotError, Times: 5})
	var snaps []string
	for range 5 {
		snaps = append(snaps, r.newSnapshot(t, id))
	}
	r.clock.Advance(time.Hour)
	wantCode(t, r.take(t.Context(), id), "ConcurrentSnapshotLimitExceeded")
	must[*ec2.DeleteSnapshotOutput](t)(r.ec2.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: aws.String(snaps[0])}))
	if err := r.take(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

func TestBadFaultsAreRefused(t *testing.T) {
	r := start(t, nil)
	for want, f := range map[string]ebssim.Fault{
		"effect": {Effect: "explode"}, "code": {Effect: ebssim.EffectError}, "delay": {Effect: ebssim.EffectDelay},
		"status": {Effect: ebssim.EffectThrottle, Status: 200},
	} {
		if _, err := r.AddFault(f); err == nil || !strings.Contains(err.Error(), "fault."+want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}
