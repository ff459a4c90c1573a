package backup

import (
	"context"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Snapshotters are the drivers of the volumes of a backup.
func (b *Service) Snapshotters(ctx context.Context, o *Run) (volume.Drivers, error) {
	return openDrivers(ctx, &o.Plan, b.Technologies)
}

// openDrivers opens those of some technologies that a backup has volumes of.
func openDrivers(ctx context.Context, p *Plan, all volume.Technologies) (volume.Drivers, error) {
	var out volume.Drivers
	for _, t := range all {
		if p.Volumes.Count(t.Method) == 0 {
			continue
		}
		s, err := t.Snapshotter(ctx, p.ForDrivers())
		if err != nil {
			return nil, err
		}
		out = append(out, volume.Driver{Method: t.Method, Snapshotter: s})
	}
	return out, nil
}

// releaseDrivers opens the drivers that have objects to release after the commit. The others
// stay closed, because their provider need not be within reach any more.
func (b *Service) releaseDrivers(ctx context.Context, p *Plan) (volume.Drivers, error) {
	released := slices.DeleteFunc(slices.Clone(b.Technologies), func(t volume.Technology) bool { return !t.HasObjects })
	return openDrivers(ctx, p, released)
}

// SnapshotStates asks every driver how far the snapshots are; what was refused has failed.
// A snapshot that is not complete by its deadline has failed too.
func (o *Run) SnapshotStates(ctx context.Context, drivers volume.Drivers, all []volume.Snapshot) (map[int]volume.Status, error) {
	out := make(map[int]volume.Status, len(all))
	asked := map[volume.Method][]volume.Snapshot{}
	for _, t := range all {
		if t.Failed != "" {
			out[t.Volume] = volume.Status{Phase: volume.StatusFailed, Detail: t.Failed}
			continue
		}
		method := o.Plan.Volumes.Volumes[t.Volume].Method
		asked[method] = append(asked[method], t)
	}
	for _, d := range drivers {
		if len(asked[d.Method]) == 0 {
			continue
		}
		states, err := d.Status(ctx, asked[d.Method])
		if err != nil {
			return nil, err
		}
		for _, t := range asked[d.Method] {
			out[t.Volume] = o.failOverdue(t, states[t.Volume])
		}
	}
	return out, nil
}

// failOverdue fails a snapshot that is still pending after itemOperationTimeout.
func (o *Run) failOverdue(t volume.Snapshot, st volume.Status) volume.Status {
	limit := o.Plan.Backup.Spec.ItemOperationTimeout.Duration
	if st.Phase != volume.StatusPending || time.Since(t.At) < limit {
		return st
	}
	text := "the snapshot was not complete within itemOperationTimeout (" + limit.String() + ")"
	if st.Detail != "" {
		text += ": " + st.Detail
	}
	return volume.Status{Phase: volume.StatusFailed, Detail: text}
}
