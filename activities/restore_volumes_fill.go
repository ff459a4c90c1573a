package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

// fill makes the snapshot that a claim is filled from, just before the claim: a content
// that stands for the snapshot at the provider, and a VolumeSnapshot bound to it. Their
// names derive from the restore's uid: a repeat finds them. They stay, as with Velero.
func (a *applier) fill(ctx context.Context, it *item) error {
	if it.entry.Resource != resource.PersistentVolumeClaims {
		return nil
	}
	v := a.s.index.claims[kube.ObjectName(it.entry.Namespace, it.entry.Name)]
	if v == nil || !v.Selected || v.Way != wayCSI {
		return nil
	}
	for _, o := range []struct {
		res kube.Resource
		ns  string
		obj any
	}{
		{kube.VolumeSnapshotContents(), "", a.s.content(v)},
		{kube.VolumeSnapshots(), it.ns, a.s.snapshot(v)},
	} {
		body, err := json.Marshal(o.obj)
		if err != nil {
			return fmt.Errorf("encode %s: %w", o.res.GroupResource(), err)
		}
		if _, err := a.createIn(ctx, o.res, it.entry.Namespace, o.ns, body); err != nil && !kube.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// content is bound to one VolumeSnapshot only, and retained: the snapshot belongs to
// the backup.
func (s *session) content(v *restoreVolume) *snapshotv1.VolumeSnapshotContent {
	p := v.Snapshot
	c := &snapshotv1.VolumeSnapshotContent{
		TypeMeta:   metav1.TypeMeta{APIVersion: snapshotv1.SchemeGroupVersion.String(), Kind: "VolumeSnapshotContent"},
		ObjectMeta: s.madeFor(p),
		Spec: snapshotv1.VolumeSnapshotContentSpec{
			DeletionPolicy: snapshotv1.VolumeSnapshotContentRetain,
			Driver:         p.Driver,
			Source:         snapshotv1.VolumeSnapshotContentSource{SnapshotHandle: &p.Handle},
			VolumeSnapshotRef: corev1.ObjectReference{
				APIVersion: snapshotv1.SchemeGroupVersion.String(), Kind: "VolumeSnapshot", Namespace: v.Target, Name: p.Name,
			},
		},
	}
	maps.Copy(c.Annotations, p.Annotations)
	if p.Class != "" {
		c.Spec.VolumeSnapshotClassName = &p.Class
	}
	if p.SourceMode != "" {
		mode := corev1.PersistentVolumeMode(p.SourceMode)
		c.Spec.SourceVolumeMode = &mode
	}
	return c
}

func (s *session) snapshot(v *restoreVolume) *snapshotv1.VolumeSnapshot {
	o := &snapshotv1.VolumeSnapshot{
		TypeMeta:   metav1.TypeMeta{APIVersion: snapshotv1.SchemeGroupVersion.String(), Kind: "VolumeSnapshot"},
		ObjectMeta: s.madeFor(v.Snapshot),
		Spec:       snapshotv1.VolumeSnapshotSpec{Source: snapshotv1.VolumeSnapshotSource{VolumeSnapshotContentName: &v.Snapshot.Name}},
	}
	o.Namespace = v.Target
	return o
}

// madeFor labels what a restore makes beside the objects of the backup.
func (s *session) madeFor(p *snapshotPlan) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: p.Name,
		Labels: map[string]string{
			resource.LabelBackup: resource.LabelValue(s.Archive.Backup), resource.LabelRestore: resource.LabelValue(s.Restore.Name),
		},
		Annotations: map[string]string{csi.AnnotationPolicy: string(snapshotv1.VolumeSnapshotContentRetain)},
	}
}
