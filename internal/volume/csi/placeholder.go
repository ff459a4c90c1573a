package csi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/snapshotcontent"
)

const (
	// finalizerContent is the snapshotter's: a content that lacks it is deleted before
	// its driver hears of it.
	finalizerContent = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"
	// annotationBeingDeleted tells the snapshotter that no VolumeSnapshot needs a content
	// any more; without it the content of a snapshot that is gone is never deleted.
	annotationBeingDeleted = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted"
)

// preparePlaceholder prepares the content by which a snapshot is deleted: the backup's own if the
// cluster has it, else one that is made for it.
func (d *deletion) preparePlaceholder(ctx context.Context, s volume.CSIRef) (*placeholder, error) {
	live, there := d.live[s.Content]
	if there && live.Spec.Driver == s.Driver && snapshotcontent.HandleOf(live) == s.Handle {
		err := d.markForDeletion(ctx, &live)
		if err == nil {
			return &placeholder{kube: d.kube, name: live.Name, times: d.times, backup: d.owner.Name, snapshot: live.Spec.VolumeSnapshotRef}, nil
		}
		if !apierrors.IsNotFound(err) {
			return nil, err
		}
	}
	c := d.placeholderContent(s)
	_, err := kube.Make(ctx, d.kube, kube.VolumeSnapshotContents(), "", c, kube.CreateOptions{FieldManager: resource.FieldManager})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	return &placeholder{kube: d.kube, name: c.Name, times: d.times, made: true}, nil
}

// markForDeletion makes the deletion of a content that of its snapshot.
func (d *deletion) markForDeletion(ctx context.Context, c *snapshotv1.VolumeSnapshotContent) error {
	finalizers := c.Finalizers
	if !slices.Contains(finalizers, finalizerContent) {
		finalizers = append(slices.Clone(finalizers), finalizerContent)
	}
	meta := map[string]any{"annotations": map[string]string{annotationBeingDeleted: "yes"}}
	if c.DeletionTimestamp == nil { // no finalizer may be added later
		meta["finalizers"] = finalizers
	}
	_, err := patchContent(ctx, d.kube, c.Name, map[string]any{
		"metadata": meta, "spec": map[string]any{"deletionPolicy": snapshotv1.VolumeSnapshotContentDelete},
	})
	return err
}

// placeholderContent stands for a snapshot of which the cluster knows nothing. The VolumeSnapshot
// that it is reserved for is in a namespace that there is not, so that nobody can
// take it.
func (d *deletion) placeholderContent(s volume.CSIRef) *snapshotv1.VolumeSnapshotContent {
	sum := sha256.Sum256([]byte(strings.Join([]string{d.owner.Name, d.owner.UID, s.Driver, s.Handle}, "\n")))
	name := "vsc-" + hex.EncodeToString(sum[:16])
	if d.classes[s.Class].Driver != s.Driver {
		s.Class = "" // one that is missing keeps the driver from its task
	}
	return newContent(metav1.ObjectMeta{
		Name: name, Annotations: s.Annotations, Finalizers: []string{finalizerContent},
		Labels: map[string]string{resource.LabelBackup: resource.LabelValue(d.owner.Name), velerov1.ExcludeFromBackupLabel: "true"},
	}, s, snapshotv1.VolumeSnapshotContentDelete, name)
}
