package integrity

import (
	"context"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// inspectSnapshots looks up the snapshots that the backup names.
func (v *reading) inspectSnapshots(ctx context.Context) error {
	refs, err := v.snapshots(ctx)
	if err != nil {
		return err
	}
	if v.found.Digests && v.manifest.Cluster != v.cluster && len(refs) > 0 {
		v.found.AddUnchecked(fmt.Sprintf("the snapshots of %d volumes: the backup is of cluster %s, whose worker looks them up", len(refs), v.manifest.Cluster))
		return nil
	}
	byMethod := map[volume.Method][]volume.Ref{}
	for _, ref := range refs {
		byMethod[ref.Method()] = append(byMethod[ref.Method()], ref)
	}
	owner := volume.Owner{Name: v.layout.Name, UID: v.found.UID}
	for method, some := range byMethod {
		inspector := v.inspectors[method]
		if inspector == nil {
			v.found.AddUnchecked(fmt.Sprintf("the snapshots of %d volumes: nobody knows snapshots of method %s", len(some), method))
			continue
		}
		all, err := inspector.Inspect(ctx, owner, some)
		if err != nil {
			return err
		}
		for i, one := range all {
			v.addInspection(some[i], one)
			if err := v.sampleBlocks(ctx, some[i], one); err != nil {
				return err
			}
		}
	}
	return nil
}

// addInspection notes what is known of a snapshot. A backup of Velero's does not say which
// cluster it is of: that this one's account does not have its snapshot is no finding.
func (v *reading) addInspection(ref volume.Ref, one volume.Inspection) {
	switch {
	case one.Presence == volume.Present:
		v.found.Snapshots++
	case one.Presence == volume.Absent && !v.found.Digests:
		v.found.AddUnchecked(fmt.Sprintf("%s %s; the backup does not say which cluster it is of", ref, one.Reason))
	case one.IsLost():
		v.found.AddDamage(ref.String(), one.Reason)
	default:
		v.found.AddUnchecked(fmt.Sprintf("%s %s", ref, one.Reason))
	}
}

// sampleBlocks reads a few blocks of a snapshot that is there, at the pace of the bandwidth. What
// keeps it from that mostly keeps it from all: it is noted once, and no more are tried.
func (v *reading) sampleBlocks(ctx context.Context, ref volume.Ref, one volume.Inspection) error {
	if v.blocks == nil || one.Presence != volume.Present || one.EBS.ID == "" || v.unsampled {
		return nil
	}
	sample, err := v.blocks.Sample(ctx, one.EBS, func(ctx context.Context, n int) error {
		v.found.Bytes += int64(n)
		v.recorder.Count(0, int64(n))
		return pace(ctx, v.limiter, n)
	})
	if err != nil {
		return err
	}
	v.found.Blocks += sample.Blocks
	if sample.Damaged != "" {
		v.found.AddDamage(ref.String(), sample.Damaged)
	}
	if v.unsampled = sample.Unread != ""; v.unsampled {
		v.found.AddUnchecked(fmt.Sprintf("the blocks of snapshots: those of %s cannot be read: %s", ref, sample.Unread))
	}
	return nil
}

// snapshots are those that the files beside the tarball name. Files that are damaged were named
// before.
func (v *reading) snapshots(ctx context.Context) (refs []volume.Ref, err error) {
	err = repository.EachEntry(ctx, v.store, v.manifest, v.layout.VolumeSnapshots(), func(s volume.NativeSnapshot) {
		if ref, ok := s.Ref(); ok {
			refs = append(refs, ref)
		}
	})
	if err != nil && !archive.IsDamaged(err) {
		return nil, err
	}
	err = repository.EachEntry(ctx, v.store, v.manifest, v.layout.VolumeInfo(), func(i volume.Info) {
		if ref, ok := i.CSIRef(); ok && i.Result != volume.Failed {
			refs = append(refs, ref)
		}
	})
	if err != nil && !archive.IsDamaged(err) {
		return nil, err
	}
	return refs, nil
}
