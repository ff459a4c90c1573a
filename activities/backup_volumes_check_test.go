package activities

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// TestStatusPercent: how far snapshots are is told of their bytes, so that one large
// volume is not hidden behind small ones; those that failed will never be there.
func TestStatusPercent(t *testing.T) {
	const gib = 1 << 30
	o := &opened{}
	for _, size := range []int64{1000 * gib, gib, 100 * gib, 0} {
		o.plan.Volumes.Volumes = append(o.plan.Volumes.Volumes, volume.Volume{Capacity: size})
	}
	pending := func(percent int) snapshotState {
		return snapshotState{Phase: snapshotPending, Percent: percent}
	}
	done := snapshotState{Phase: snapshotCompleted, Percent: 100}
	for name, tc := range map[string]struct {
		states map[int]snapshotState
		want   contract.VolumeStatus
	}{
		"none":        {nil, contract.VolumeStatus{}},
		"one":         {map[int]snapshotState{0: pending(43)}, contract.VolumeStatus{Pending: 1, Percent: 43}},
		"a large one": {map[int]snapshotState{0: pending(43), 1: done, 3: done}, contract.VolumeStatus{Completed: 2, Pending: 1, Percent: 43}},
		"a failed one": {
			map[int]snapshotState{0: {Phase: snapshotFailed, Percent: 90}, 2: pending(20)},
			contract.VolumeStatus{Failed: 1, Pending: 1, Percent: 20},
		},
		"all": {map[int]snapshotState{0: done, 1: done, 2: done, 3: done}, contract.VolumeStatus{Completed: 4, Percent: 100}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := statusOf(o, tc.states); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
