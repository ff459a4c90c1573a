package ebssim_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// burst snapshots each volume at once and counts the answers by code.
func (r rig) burst(t *testing.T, volumes []string) map[string]int {
	t.Helper()
	codes := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, id := range volumes {
		all.Go(func() {
			_, err := r.ec2.CreateSnapshot(t.Context(), &ec2.CreateSnapshotInput{VolumeId: aws.String(id)})
			code := "OK"
			if api := smithy.APIError(nil); errors.As(err, &api) {
				code = api.ErrorCode()
			} else if err != nil {
				t.Error(err)
			}
			mu.Lock()
			codes[code]++
			mu.Unlock()
		})
	}
	all.Wait()
	return codes
}

func wantCodes(t *testing.T, got, want map[string]int) {
	t.Helper()
	for code := range want {
		if got[code] != want[code] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func repeat(id string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = id
	}
	return ids
}

// 300 calls at once, one a volume: exactly 100 are pending at a time, and as soon
// as one is done another may start.
func TestPendingSnapshotsOfAnAccount(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.SnapshotBase = ebssim.Duration(10 * time.Second) })
	var volumes []string
	for range 300 {
		volumes = append(volumes, r.newVolume(t))
	}
	wantCodes(t, r.burst(t, volumes), map[string]int{"OK": 100, "PendingSnapshotLimitExceeded": 200})
	wantCodes(t, r.burst(t, volumes[:1]), map[string]int{"PendingSnapshotLimitExceeded": 1})
	r.clock.Advance(10 * time.Second)
	wantCodes(t, r.burst(t, volumes[:150]), map[string]int{"OK": 100, "PendingSnapshotLimitExceeded": 50})
	r.clock.Advance(10 * time.Second)
	if n := len(r.State().Snapshots); n != 200 {
		t.Fatalf("%d snapshots, want 200", n)
	}
}

// With the published limits a burst of 300 meets the token bucket too: the first
// 100 take its tokens and the account's pending ones, the rest are throttled.
func TestPublishedLimits(t *testing.T) {
	published := ebssim.Published()
	r := start(t, nil)
	var volumes []string
	for range 400 {
		volumes = append(volumes, r.newVolume(t))
	}
	r.SetLimits(func(l *ebssim.Limits) { *l = published })
	wantCodes(t, r.burst(t, volumes[:300]), map[string]int{"OK": 100, "RequestLimitExceeded": 200})
	r.clock.Advance(time.Second) // 5 tokens
	wantCodes(t, r.burst(t, volumes[300:]), map[string]int{"PendingSnapshotLimitExceeded": 5, "RequestLimitExceeded": 95})
	r.clock.Advance(20 * time.Second)
	wantCodes(t, r.burst(t, volumes[300:]), map[string]int{"OK": 100})
}

func TestSnapshotsOfOneVolume(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.SnapshotBase = ebssim.Duration(10 * time.Second) })
	id := r.newVolume(t)
	wantCodes(t, r.burst(t, repeat(id, 8)), map[string]int{"OK": 5, "ConcurrentSnapshotLimitExceeded": 3})
	r.clock.Advance(10 * time.Second)
	r.SetLimits(func(l *ebssim.Limits) { l.SnapshotInterval = ebssim.Duration(15 * time.Second) })
	r.clock.Advance(15 * time.Second)
	wantCodes(t, r.burst(t, repeat(id, 3)), map[string]int{"OK": 1, "SnapshotCreationPerVolumeRateExceeded": 2})
	r.clock.Advance(14 * time.Second)
	wantCodes(t, r.burst(t, repeat(id, 1)), map[string]int{"SnapshotCreationPerVolumeRateExceeded": 1})
	r.clock.Advance(time.Second)
	wantCodes(t, r.burst(t, repeat(id, 1)), map[string]int{"OK": 1})
}

func TestHardDisksTakeOneSnapshotAtATime(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.SnapshotBase = ebssim.Duration(10 * time.Second) })
	out := must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{
		AvailabilityZone: aws.String(zone), Size: aws.Int32(125), VolumeType: types.VolumeTypeSt1,
	}))
	wantCodes(t, r.burst(t, repeat(*out.VolumeId, 3)), map[string]int{"OK": 1, "ConcurrentSnapshotLimitExceeded": 2})
}

// Deleting a pending snapshot makes no room before it would have ended.
func TestDeletedPendingSnapshotsCount(t *testing.T) {
	r := start(t, func(o *ebssim.Options) {
		o.Limits.SnapshotBase, o.Limits.PendingPerAccount = ebssim.Duration(10*time.Second), 1
	})
	id := r.newVolume(t)
	snap := r.newSnapshot(t, id)
	must[*ec2.DeleteSnapshotOutput](t)(r.ec2.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: aws.String(snap)}))
	_, err := r.snapshotState(t.Context(), snap)
	wantCode(t, err, "InvalidSnapshot.NotFound")
	wantCodes(t, r.burst(t, []string{id}), map[string]int{"PendingSnapshotLimitExceeded": 1})
	r.clock.Advance(10 * time.Second)
	wantCodes(t, r.burst(t, []string{id}), map[string]int{"OK": 1})
	if n := len(r.State().Snapshots); n != 1 {
		t.Fatalf("%d snapshots, want 1", n)
	}
}

// Calls without ids, filters and pages come out of a smaller bucket.
func TestUnfilteredCallsHaveTheirOwnBucket(t *testing.T) {
	r := start(t, func(o *ebssim.Options) {
		o.Limits.Buckets = map[string]ebssim.Bucket{
			"Describe*": {Size: 3, Refill: 1}, "Unfiltered:DescribeVolumes": {Size: 1, Refill: 1},
		}
	})
	plain, paged := &ec2.DescribeVolumesInput{}, &ec2.DescribeVolumesInput{MaxResults: aws.Int32(5)}
	must[*ec2.DescribeVolumesOutput](t)(r.ec2.DescribeVolumes(t.Context(), plain))
	_, err := r.ec2.DescribeVolumes(t.Context(), plain)
	wantCode(t, err, "RequestLimitExceeded")
	for range 3 {
		must[*ec2.DescribeVolumesOutput](t)(r.ec2.DescribeVolumes(t.Context(), paged))
	}
	_, err = r.ec2.DescribeVolumes(t.Context(), paged)
	wantCode(t, err, "RequestLimitExceeded")
	r.clock.Advance(time.Second)
	must[*ec2.DescribeVolumesOutput](t)(r.ec2.DescribeVolumes(t.Context(), paged))
}
