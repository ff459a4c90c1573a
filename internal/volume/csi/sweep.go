package csi

import (
	"context"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Sweep deletes contents to which no VolumeSnapshot is, or is about to be, bound. They are
// retained ones: the snapshots at the provider stay.
func (r *Restorer) Sweep(ctx context.Context, all []*volume.Restore, _ map[string]volume.Disk) error {
	if err := r.sweepContents(ctx, bySnapshotName(all)); err != nil {
		return fmt.Errorf("delete unused volume snapshot contents: %w", err)
	}
	return nil
}

func (r *Restorer) sweepContents(ctx context.Context, filled map[string]*volume.Restore) error {
	if len(filled) == 0 {
		return nil
	}
	contents, err := r.listContents(ctx)
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
