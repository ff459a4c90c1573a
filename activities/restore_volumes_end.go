package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// sweep deletes the EBS volumes that a restore made and nobody uses: no volume of the
// cluster points at them and no instance has them attached. A restore that ended well
// leaves none, unless an object was refused. It may repeat.
func (r *Restore) sweep(ctx context.Context, stage staging, uid string) error {
	var doc restorePlan
	err := stage.get(ctx, planFile, &doc)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it was not planned, or an attempt before this one was here
	}
	if err != nil {
		return err
	}
	locations := map[string]bool{}
	doc.Volumes.count(func(v *restoreVolume) bool {
		if v.needsDisk() {
			locations[v.Disk.Location] = true
		}
		return false
	})
	for _, name := range sortedKeys(locations) {
		if err := r.sweepLocation(ctx, name, uid); err != nil {
			return fmt.Errorf("delete unused volumes of location %s: %w", name, err)
		}
	}
	return nil
}

func (r *Restore) sweepLocation(ctx context.Context, name, uid string) error {
	_, loc, err := r.Snapshots.Get(ctx, name)
	if err != nil {
		return err
	}
	ours := map[string]string{ebs.TagRestoreUID: uid}
	made, err := loc.VolumesTagged(ctx, ours)
	if err != nil || len(made) == 0 {
		return err
	}
	used, err := r.usedDisks(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range made {
		if used[v.ID] || v.Instance != "" {
			continue
		}
		// Retained is one that somebody attaches at this moment: it is used.
		_, err := loc.DeleteVolume(ctx, v.ID, ours)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// usedDisks are the EBS volumes that PersistentVolumes of the cluster point at.
func (r *Restore) usedDisks(ctx context.Context) (map[string]bool, error) {
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
