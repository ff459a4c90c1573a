package csi

import (
	"context"
	"fmt"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// goneAfter is how long a driver has to say that a snapshot is not there before a claim
// is given up: a first answer may be of before the snapshot could be seen.
const goneAfter = 10 * time.Second

// Provision has nothing to do: storage classes make the volumes, once there are claims.
func (r *Restorer) Provision(context.Context, []*volume.Restore, *volume.Ledger) error { return nil }

// Diagnose asks the content that stands for a claim's snapshot. It is final if the content
// is gone, or if the provider does not know the snapshot.
func (r *Restorer) Diagnose(ctx context.Context, v *volume.Restore, waited time.Duration) (volume.Diagnosis, error) {
	c, err := kube.Read[snapshotv1.VolumeSnapshotContent](ctx, r.Kube, kube.VolumeSnapshotContents(), "", v.Snapshot.Name)
	if kube.IsNotFound(err) {
		return volume.Diagnosis{Problem: "its VolumeSnapshotContent " + v.Snapshot.Name + " is gone", IsFinal: true}, nil
	}
	if err != nil {
		return volume.Diagnosis{}, fmt.Errorf("look at content %s: %w", v.Snapshot.Name, err)
	}
	text := AnswerOn(c).Text
	if text == "" {
		return volume.Diagnosis{}, nil
	}
	return volume.Diagnosis{
		Problem: fmt.Sprintf("snapshot %s: %s", v.Snapshot.Handle, text),
		IsFinal: SaysSnapshotIsGone(text) && waited >= goneAfter,
	}, nil
}

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
