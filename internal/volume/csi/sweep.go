package csi

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Sweep deletes contents to which no VolumeSnapshot is, or is about to be, bound. The others
// go when the namespace of their claim is deleted. They are retained ones: the snapshots at
// the provider stay.
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
		if !there {
			continue
		}
		var err error
		if c.Spec.VolumeSnapshotRef.UID == "" {
			_, err = r.Kube.Get(ctx, kube.VolumeSnapshots(), v.Target, name)
		}
		switch {
		case kube.IsNotFound(err):
			err = r.Kube.Delete(ctx, kube.VolumeSnapshotContents(), "", name, kube.DeleteOptions{UID: string(c.UID)})
		case err == nil:
			err = r.ownContent(ctx, name, v.Target)
		}
		if err != nil && !kube.IsNotFound(err) && !kube.IsConflict(err) {
			return err
		}
	}
	return nil
}

// ownContent makes a namespace the owner of a content, which the cluster's garbage collector
// deletes with it: what is in no namespace would stay for ever.
func (r *Restorer) ownContent(ctx context.Context, content, namespace string) error {
	ns, err := kube.Read[corev1.Namespace](ctx, r.Kube, kube.Namespaces(), "", namespace)
	if err != nil {
		return err
	}
	_, err = patchContent(ctx, r.Kube, content, map[string]any{"metadata": map[string]any{
		"ownerReferences": []metav1.OwnerReference{{APIVersion: "v1", Kind: "Namespace", Name: namespace, UID: ns.UID}},
	}})
	return err
}
