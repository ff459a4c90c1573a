package native

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Sweep deletes EBS volumes of this restore that no PersistentVolume of the cluster points
// at and no instance has attached. It looks again where EC2 may not have shown one yet
// that was just made: it would be left, and paid for, for ever.
func (r *Restorer) Sweep(ctx context.Context, all []*volume.Restore, made map[string]volume.Disk) error {
	gone, err := r.sweepLocations(ctx, all, made)
	if err != nil || !mayBeHidden(all, made, gone) {
		return err
	}
	if err := poll.Wait(ctx, cmp.Or(r.LookAgain, quota.LookAgainFor)); err != nil {
		return err
	}
	_, err = r.sweepLocations(ctx, all, made)
	return err
}

// sweepLocations sweeps each location, and tells which volumes EC2 did not show.
func (r *Restorer) sweepLocations(ctx context.Context, all []*volume.Restore, made map[string]volume.Disk) (gone map[string]bool, err error) {
	gone = map[string]bool{}
	for location, ids := range madeByLocation(all, made) {
		hidden, err := r.sweepLocation(ctx, location, ids, undeletable(made))
		if err != nil {
			return nil, fmt.Errorf("delete unused volumes of location %s: %w", location, err)
		}
		maps.Copy(gone, hidden)
	}
	return gone, nil
}

// mayBeHidden tells whether EC2 may still show a volume that it did not show: one that it
// agreed to make a short while ago, or that it was asked for and did not answer about.
func mayBeHidden(all []*volume.Restore, made map[string]volume.Disk, gone map[string]bool) bool {
	return slices.ContainsFunc(all, func(v *volume.Restore) bool {
		d, asked := made[v.PV]
		switch {
		case d.ID != "":
			return gone[d.ID] && time.Since(d.Asked) < quota.VisibleWithin
		case d.Failed != "":
			return false
		}
		return v.NeedsDisk() && (asked || len(made) > 0)
	})
}

// madeByLocation are the ids of what was made: also of locations where none is known, for
// a call that was never answered may have made one.
func madeByLocation(all []*volume.Restore, made map[string]volume.Disk) map[string][]string {
	out := map[string][]string{}
	for _, v := range all {
		ids := out[v.Disk.Location]
		if id := made[v.PV].ID; id != "" {
			ids = append(ids, id)
		}
		out[v.Disk.Location] = ids
	}
	return out
}

// undeletable are the volumes that were given up while EC2 was making them. It refuses to
// delete one until it is made, which may be never; the restore's reason names it.
func undeletable(disks map[string]volume.Disk) map[string]bool {
	out := map[string]bool{}
	for _, d := range disks {
		if d.ID != "" && d.Failed != "" {
			out[d.ID] = true
		}
	}
	return out
}

// sweepLocation deletes the unused ones of a location, and tells which EC2 did not show. It
// finds volumes by their ids and by their tags: EC2 may not list one yet that it has just
// made.
func (r *Restorer) sweepLocation(ctx context.Context, name string, ids []string, undeletable map[string]bool) (gone map[string]bool, err error) {
	_, loc, err := r.Locations.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	ours := map[string]string{ebs.TagRestoreUID: r.Run.UID}
	tagged, err := loc.VolumesTagged(ctx, ours)
	if err != nil {
		return nil, err
	}
	for _, v := range tagged {
		ids = append(ids, v.ID)
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return nil, nil
	}
	used, err := r.usedDisks(ctx)
	if err != nil {
		return nil, err
	}
	gone = map[string]bool{}
	var errs []error
	for _, id := range ids {
		if !used[id] {
			end, err := loc.DeleteVolume(ctx, id, ours) // Retained is attached: somebody uses it
			gone[id] = err == nil && end.Outcome == ebs.Gone
			if !undeletable[id] || !errors.Is(err, ebs.ErrState) {
				errs = append(errs, err)
			}
		}
	}
	return gone, errors.Join(errs...)
}

// usedDisks are the EBS volumes that PersistentVolumes of the cluster point at.
func (r *Restorer) usedDisks(ctx context.Context) (map[string]bool, error) {
	used := map[string]bool{}
	err := kube.List(ctx, r.Kube, kube.Volumes(), "", "", func(pv corev1.PersistentVolume) error {
		used[diskIDOf(&pv)] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list persistent volumes: %w", err)
	}
	return used, nil
}

// diskIDOf is the EBS volume that a PersistentVolume points at, in either form: a CSI
// handle, or aws://<zone>/vol-… of the in-tree source.
func diskIDOf(pv *corev1.PersistentVolume) string {
	switch {
	case pv.Spec.CSI != nil:
		return pv.Spec.CSI.VolumeHandle
	case pv.Spec.AWSElasticBlockStore != nil:
		id := pv.Spec.AWSElasticBlockStore.VolumeID
		return id[strings.LastIndexByte(id, '/')+1:]
	}
	return ""
}
