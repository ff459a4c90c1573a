package activities

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// units reads the results of all units; one that has none yet is empty.
func (o *opened) units(ctx context.Context) ([]unitResult, error) {
	out := make([]unitResult, len(o.plan.Volumes.Units))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetchWindow)
	for i := range out {
		group.Go(func() error {
			err := o.stage.Get(ctx, repository.UnitSnapshotFile(i), &out[i])
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		})
	}
	return out, group.Wait()
}

// taken is what became of all volumes.
func allTaken(units []unitResult) []taken {
	var out []taken
	for _, u := range units {
		out = append(out, u.Taken...)
	}
	return out
}

// checkSnapshots looks how far the snapshots are. It changes nothing.
func checkSnapshots(ctx context.Context, b *Backup, in contract.CheckVolumesInput) (contract.VolumeStatus, error) {
	o, err := b.open(ctx, in.Ref)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	units, err := o.units(ctx)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	paths, err := b.snapshotters(ctx, o)
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	states, err := o.states(ctx, paths, allTaken(units))
	if err != nil {
		return contract.VolumeStatus{}, err
	}
	return statusOf(o, states), nil
}

func statusOf(o *opened, states map[int]snapshotState) contract.VolumeStatus {
	var st contract.VolumeStatus
	var done, all int64
	for i, s := range states {
		size := max(o.plan.Volumes.Volumes[i].Capacity>>20, 1) // MiB: 100 times as many still fit
		switch s.Phase {
		case snapshotCompleted:
			st.Completed++
		case snapshotFailed:
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

// claimSnapshots are the VolumeSnapshots that were taken, by "namespace/claim".
func (o *opened) claimSnapshots(ctx context.Context) (map[string]string, error) {
	if len(o.plan.Volumes.Units) == 0 {
		return nil, nil
	}
	units, err := o.units(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, t := range allTaken(units) {
		if v := o.plan.Volumes.Volumes[t.Volume]; t.Failed == "" && v.Snapshot != "" {
			out[kube.ObjectName(v.Namespace, v.Claim)] = v.Snapshot
		}
	}
	return out, nil
}
