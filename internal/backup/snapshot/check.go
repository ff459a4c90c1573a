package snapshot

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Check looks how far the snapshots are. It changes nothing.
func Check(ctx context.Context, b *backup.Service, in contract.CheckVolumesInput) (contract.VolumeStatus, error) {
	o, err := b.Open(ctx, in.Ref)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	units, err := o.UnitResults(ctx)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	drivers, err := b.Snapshotters(ctx, o)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	states, err := o.SnapshotStates(ctx, drivers, backup.AllSnapshots(units))
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	return statusOf(o, states), nil
}

func statusOf(o *backup.Run, states map[int]volume.Status) contract.VolumeStatus {
	var st contract.VolumeStatus
	var done, all int64
	for i, s := range states {
		size := max(o.Plan.Volumes.Volumes[i].Capacity>>20, 1) // MiB: 100 times as many still fit
		switch s.Phase {
		case volume.StatusCompleted:
			st.Completed++
		case volume.StatusFailed:
			st.Failed++
			continue
		default:
			st.Pending++
		}
		all += size
		done += size * int64(s.Percent) / 100
	}
	if all > 0 {
		st.Percent = int(100 * done / all)
	}
	return st
}
