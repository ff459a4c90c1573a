package volumes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Sweep deletes what a restore made and nobody uses: contents that no VolumeSnapshot
// is bound to, and EBS volumes that no volume of the cluster points at and no instance
// has attached. A restore that ended well leaves none, unless an object was refused.
// It may repeat.
func Sweep(ctx context.Context, r *restore.Service, stage repository.Staging, ref contract.RestoreRef) error {
	var doc restore.Plan
	err := stage.Get(ctx, repository.PlanFile, &doc)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it was not planned, or an attempt before this one was here
	}
	if err != nil {
		return err
	}
	if err := sweepContents(ctx, r, ref.Name, doc.Volumes); err != nil {
		return fmt.Errorf("delete unused volume snapshot contents: %w", err)
	}
	made := map[string]restore.Disk{}
	if err := stage.Get(ctx, repository.DisksFile, &made); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for location, ids := range doc.Volumes.Made(made) {
		if err := sweepLocation(ctx, r, location, ref.UID, ids, stuck(made)); err != nil {
			return fmt.Errorf("delete unused volumes of location %s: %w", location, err)
		}
	}
	return nil
}

// sweepContents deletes contents to which no VolumeSnapshot is, or is about to be,
// bound. They are retained ones: the snapshots at the provider stay.
func sweepContents(ctx context.Context, r *restore.Service, restoreName string, plan *restore.Volumes) error {
	filled := plan.Filled(func(*restore.Volume) bool { return true })
	if len(filled) == 0 {
		return nil
	}
	contents, err := contentsOf(ctx, r, restoreName)
	if err != nil {
		return err
	}
	for name, v := range filled {
		c, there := contents[name]
		if !there || c.Spec.VolumeSnapshotRef.UID != "" {
			continue
		}
		_, err := r.Kube.Get(ctx, kube.VolumeSnapshots(), v.Target, name)
		if kube.IsNotFound(err) {
			err = r.Kube.Delete(ctx, kube.VolumeSnapshotContents(), "", name, kube.DeleteOptions{UID: string(c.UID)})
		}
		if err != nil && !kube.IsNotFound(err) && !kube.IsConflict(err) {
			return err
		}
	}
	return nil
}

// stuck are the volumes that were given up while EC2 was making them. It refuses to
// delete one until it is made, which may be never; the restore's reason names it.
func stuck(disks map[string]restore.Disk) map[string]bool {
	out := map[string]bool{}
	for _, d := range disks {
		if d.ID != "" && d.Failed != "" {
			out[d.ID] = true
		}
	}
	return out
}

// sweepLocation finds volumes by their ids and by their tags: EC2 may not list one yet
// that it has just made.
func sweepLocation(ctx context.Context, r *restore.Service, name, uid string, ids []string, stuck map[string]bool) error {
	_, loc, err := r.Snapshots.Get(ctx, name)
	if err != nil {
		return err
	}
	ours := map[string]string{ebs.TagRestoreUID: uid}
	tagged, err := loc.VolumesTagged(ctx, ours)
	if err != nil {
		return err
	}
	for _, v := range tagged {
		ids = append(ids, v.ID)
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return nil
	}
	used, err := usedDisks(r, ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if !used[id] {
			_, err := loc.DeleteVolume(ctx, id, ours) // Retained is attached: somebody uses it
			if !stuck[id] || !errors.Is(err, ebs.ErrState) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// usedDisks are the EBS volumes that PersistentVolumes of the cluster point at.
func usedDisks(r *restore.Service, ctx context.Context) (map[string]bool, error) {
	used := map[string]bool{}
	err := kube.List(ctx, r.Kube, kube.Volumes(), "", "", func(pv corev1.PersistentVolume) error {
		used[diskID(&pv)] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list persistent volumes: %w", err)
	}
	return used, nil
}

// diskID is the EBS volume that a PersistentVolume points at, in either form: a CSI
// handle, or aws://<zone>/vol-… of the in-tree source.
func diskID(pv *corev1.PersistentVolume) string {
	switch {
	case pv.Spec.CSI != nil:
		return pv.Spec.CSI.VolumeHandle
	case pv.Spec.AWSElasticBlockStore != nil:
		id := pv.Spec.AWSElasticBlockStore.VolumeID
		return id[strings.LastIndexByte(id, '/')+1:]
	}
	return ""
}
