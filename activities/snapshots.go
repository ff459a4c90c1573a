package activities

import (
	"context"
	"errors"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// csiDriver is the driver of CSI snapshots for a backup.
func (b *Backup) csiDriver(p *backupPlan) *csiSnapshots {
	return &csiSnapshots{kube: b.Kube, plan: p.forDrivers(), quotas: &b.quotas, locations: b.Snapshots, window: b.Config.Limits.PendingSnapshots}
}

// snapshotters are the paths that volumes of this backup take.
func (b *Backup) snapshotters(ctx context.Context, o *opened) (map[volume.Path]snapshotter, error) {
	out := map[volume.Path]snapshotter{}
	if o.plan.Volumes.count(volume.CSI) > 0 {
		out[volume.CSI] = b.csiDriver(&o.plan)
	}
	if name := o.plan.Volumes.Location; name != "" {
		_, loc, err := b.Snapshots.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		out[volume.Native] = &nativeSnapshots{l: loc, plan: o.plan.forDrivers()}
	}
	return out, nil
}

// states asks every path how far the snapshots are; what was refused has failed. A
// snapshot that is not complete by its deadline has failed too.
func (o *opened) states(ctx context.Context, paths map[volume.Path]snapshotter, all []taken) (map[int]snapshotState, error) {
	out := make(map[int]snapshotState, len(all))
	asked := map[volume.Path][]taken{}
	for _, t := range all {
		if t.Failed != "" {
			out[t.Volume] = snapshotState{Phase: snapshotFailed, Detail: t.Failed}
			continue
		}
		path := o.plan.Volumes.Volumes[t.Volume].Path
		asked[path] = append(asked[path], t)
	}
	for path, of := range asked {
		states, err := paths[path].states(ctx, of)
		if err != nil {
			return nil, err
		}
		for _, t := range of {
			out[t.Volume] = o.timely(t, states[t.Volume])
		}
	}
	return out, nil
}

// timely gives a pending snapshot up after itemOperationTimeout.
func (o *opened) timely(t taken, st snapshotState) snapshotState {
	limit := o.plan.Backup.Spec.ItemOperationTimeout.Duration
	if st.Phase != snapshotPending || time.Since(t.At) < limit {
		return st
	}
	text := "the snapshot was not complete within itemOperationTimeout (" + limit.String() + ")"
	if st.Detail != "" {
		text += ": " + st.Detail
	}
	return snapshotState{Phase: snapshotFailed, Detail: text}
}

// hopelessly: no retry mends the error of a path, and all its volumes are concerned.
func hopelessly(err error) bool {
	return ebs.IsFinal(err) || errors.Is(err, ebs.ErrCredentials) || kube.IsForbidden(err) || kube.IsNotFound(err)
}
