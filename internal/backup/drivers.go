package backup

import (
	"context"
	"errors"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
)

// csiDriver is the driver of CSI snapshots for a backup.
func (s *Service) csiDriver(p *Plan) *csi.Snapshots {
	return &csi.Snapshots{Kube: s.Kube, Backup: p.ForDrivers(), Quotas: &s.quotas, Locations: s.Snapshots, MaxPending: s.Config.Limits.PendingSnapshots}
}

// Snapshotters are the paths that volumes of this backup take.
func (s *Service) Snapshotters(ctx context.Context, run *Run) (map[volume.Path]volume.Snapshotter, error) {
	out := map[volume.Path]volume.Snapshotter{}
	if run.Plan.Volumes.Count(volume.CSI) > 0 {
		out[volume.CSI] = s.csiDriver(&run.Plan)
	}
	if name := run.Plan.Volumes.Location; name != "" {
		_, loc, err := s.Snapshots.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		out[volume.Native] = &native.Snapshots{Location: loc, Backup: run.Plan.ForDrivers()}
	}
	return out, nil
}

// SnapshotStates asks every path how far the snapshots are; what was refused has failed. A
// snapshot that is not complete by its deadline has failed too.
func (run *Run) SnapshotStates(ctx context.Context, paths map[volume.Path]volume.Snapshotter, all []volume.Snapshot) (map[int]volume.Status, error) {
	out := make(map[int]volume.Status, len(all))
	asked := map[volume.Path][]volume.Snapshot{}
	for _, t := range all {
		if t.Failed != "" {
			out[t.Volume] = volume.Status{Phase: volume.StatusFailed, Detail: t.Failed}
			continue
		}
		path := run.Plan.Volumes.Volumes[t.Volume].Path
		asked[path] = append(asked[path], t)
	}
	for path, of := range asked {
		states, err := paths[path].Status(ctx, of)
		if err != nil {
			return nil, err
		}
		for _, t := range of {
			out[t.Volume] = run.expireStatus(t, states[t.Volume])
		}
	}
	return out, nil
}

// expireStatus gives a pending snapshot up after itemOperationTimeout.
func (run *Run) expireStatus(t volume.Snapshot, st volume.Status) volume.Status {
	limit := run.Plan.Backup.Spec.ItemOperationTimeout.Duration
	if st.Phase != volume.StatusPending || time.Since(t.At) < limit {
		return st
	}
	text := "the snapshot was not complete within itemOperationTimeout (" + limit.String() + ")"
	if st.Detail != "" {
		text += ": " + st.Detail
	}
	return volume.Status{Phase: volume.StatusFailed, Detail: text}
}

// IsPermanent tells that no retry mends the error of a volume driver, and that it concerns
// all volumes of that driver.
func IsPermanent(err error) bool {
	return ebs.IsFinal(err) || errors.Is(err, ebs.ErrCredentials) || kube.IsForbidden(err) || kube.IsNotFound(err)
}
