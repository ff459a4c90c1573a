package deletion

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

const (
	// finalizerContent is the snapshotter's: a content that lacks it is deleted before
	// its driver hears of it.
	finalizerContent = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"
	// annotationDeleting tells the snapshotter that no VolumeSnapshot needs a content
	// any more; without it the content of a snapshot that is gone is never deleted.
	annotationDeleting = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted"
)

// standIn prepares the content by which a snapshot is deleted: the backup's own if the
// cluster has it, else one that is made for it.
func (d *csiDeleter) standIn(ctx context.Context, s doomedCSI) (*standIn, error) {
	live, there := d.live[s.Content]
	if there && live.Spec.Driver == s.Driver && csi.SnapshotHandleOf(live) == s.Handle {
		err := d.condemn(ctx, &live)
		if err == nil {
			return &standIn{kube: d.b.Kube, name: live.Name, times: d.times, backup: d.backup, snapshot: live.Spec.VolumeSnapshotRef}, nil
		}
		if !kube.IsNotFound(err) {
			return nil, err
		}
	}
	c := d.content(s)
	_, err := kube.Make(ctx, d.b.Kube, kube.VolumeSnapshotContents(), "", c, kube.CreateOptions{FieldManager: kube.FieldManager})
	if err != nil && !kube.IsAlreadyExists(err) {
		return nil, err
	}
	return &standIn{kube: d.b.Kube, name: c.Name, times: d.times, made: true}, nil
}

// condemn makes the deletion of a content that of its snapshot.
func (d *csiDeleter) condemn(ctx context.Context, c *snapshotv1.VolumeSnapshotContent) error {
	finalizers := c.Finalizers
	if !slices.Contains(finalizers, finalizerContent) {
		finalizers = append(slices.Clone(finalizers), finalizerContent)
	}
	meta := map[string]any{"annotations": map[string]string{annotationDeleting: "yes"}}
	if c.DeletionTimestamp == nil { // no finalizer may be added later
		meta["finalizers"] = finalizers
	}
	return patchContent(ctx, d.b.Kube, c.Name, map[string]any{
		"metadata": meta, "spec": map[string]any{"deletionPolicy": snapshotv1.VolumeSnapshotContentDelete},
	})
}

func patchContent(ctx context.Context, kc *kube.Client, name string, change map[string]any) error {
	body, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("encode the patch of volume snapshot content %s: %w", name, err)
	}
	_, err = kc.Patch(ctx, kube.VolumeSnapshotContents(), "", name, kube.PatchMerge, body, kube.PatchOptions{FieldManager: kube.FieldManager})
	return err
}

// content stands for a snapshot of which the cluster knows nothing. The VolumeSnapshot
// that it is reserved for is in a namespace that there is not, so that nobody can
// take it.
func (d *csiDeleter) content(s doomedCSI) *snapshotv1.VolumeSnapshotContent {
	sum := sha256.Sum256([]byte(strings.Join([]string{d.backup, d.uid, s.Driver, s.Handle}, "\n")))
	name := "vsc-" + hex.EncodeToString(sum[:16])
	c := &snapshotv1.VolumeSnapshotContent{
		TypeMeta: metav1.TypeMeta{APIVersion: snapshotv1.SchemeGroupVersion.String(), Kind: "VolumeSnapshotContent"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: s.Annotations, Finalizers: []string{finalizerContent},
			Labels: map[string]string{resource.LabelBackup: resource.LabelValue(d.backup), velerov1.ExcludeFromBackupLabel: "true"},
		},
		Spec: snapshotv1.VolumeSnapshotContentSpec{
			DeletionPolicy: snapshotv1.VolumeSnapshotContentDelete,
			Driver:         s.Driver,
			Source:         snapshotv1.VolumeSnapshotContentSource{SnapshotHandle: &s.Handle},
			VolumeSnapshotRef: corev1.ObjectReference{
				APIVersion: snapshotv1.SchemeGroupVersion.String(), Kind: "VolumeSnapshot", Namespace: name, Name: name,
			},
		},
	}
	if d.classes[s.Class].Driver == s.Driver { // one that is missing keeps the driver from its task
		c.Spec.VolumeSnapshotClassName = &s.Class
	}
	if s.SourceMode != "" {
		mode := corev1.PersistentVolumeMode(s.SourceMode)
		c.Spec.SourceVolumeMode = &mode
	}
	return c
}
