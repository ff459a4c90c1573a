package snapshot

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
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
