package backup

import (
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
)

// technology is a way to keep the data of volumes.
type technology struct {
	method volume.Path
	// open makes its driver for a backup with volumes of this method.
	open func(ctx context.Context, b *Service, p *Plan) (volume.Snapshotter, error)
	// hasObjects says that objects of the cluster stand for its snapshots, which are
	// released once the backup is committed.
	hasObjects bool
}

// technologies are all there are; a new one is one more line. They reserve capacity in
// this order. Native snapshots come first, since they wait for volumes: nobody may do
// that who holds capacity already (quota.KeepTurn).
func technologies() []technology {
	return []technology{
		{method: volume.Native, open: openNative},
		{method: volume.CSI, open: openCSI, hasObjects: true},
	}
}

func openCSI(_ context.Context, b *Service, p *Plan) (volume.Snapshotter, error) {
	return &csi.Snapshots{Kube: b.Kube, Backup: p.ForDrivers(), Quotas: &b.quotas, Locations: b.Snapshots, MaxPending: b.Config.Limits.PendingSnapshots}, nil
}

func openNative(ctx context.Context, b *Service, p *Plan) (volume.Snapshotter, error) {
	_, loc, err := b.Snapshots.Get(ctx, p.Volumes.Location)
	return &native.Snapshots{Location: loc, Backup: p.ForDrivers()}, err
}

// Snapshotters are the drivers of the volumes of a backup.
func (b *Service) Snapshotters(ctx context.Context, o *Run) (volume.Drivers, error) {
	return b.openDrivers(ctx, &o.Plan, technologies())
}

// openDrivers opens those of some technologies that a backup has volumes of.
func (b *Service) openDrivers(ctx context.Context, p *Plan, all []technology) (volume.Drivers, error) {
	var out volume.Drivers
	for _, t := range all {
		if p.Volumes.Count(t.method) == 0 {
			continue
		}
		s, err := t.open(ctx, b, p)
		if err != nil {
			return nil, err
		}
		out = append(out, volume.Driver{Method: t.method, Snapshotter: s})
	}
	return out, nil
}

// releaseDrivers opens the drivers that have something to release after the commit: the
// provider of another need not be within reach any more.
func (b *Service) releaseDrivers(ctx context.Context, p *Plan) (volume.Drivers, error) {
	return b.openDrivers(ctx, p, slices.DeleteFunc(technologies(), func(t technology) bool { return !t.hasObjects }))
}

// SnapshotStates asks every driver how far the snapshots are; what was refused has failed.
// A snapshot that is not complete by its deadline has failed too.
func (o *Run) SnapshotStates(ctx context.Context, drivers volume.Drivers, all []volume.Snapshot) (map[int]volume.Status, error) {
	out := make(map[int]volume.Status, len(all))
	asked := map[volume.Path][]volume.Snapshot{}
	for _, t := range all {
		if t.Failed != "" {
			out[t.Volume] = volume.Status{Phase: volume.StatusFailed, Detail: t.Failed}
			continue
		}
		method := o.Plan.Volumes.Volumes[t.Volume].Path
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

// failOverdue gives a pending snapshot up after itemOperationTimeout.
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

// IsPermanent tells that no retry mends the error of a volume driver, and that it concerns
// all volumes of that driver.
func IsPermanent(err error) bool {
	return ebs.IsFinal(err) || errors.Is(err, ebs.ErrCredentials) || apierrors.IsForbidden(err) || apierrors.IsNotFound(err)
}
