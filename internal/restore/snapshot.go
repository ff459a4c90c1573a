package restore

import (
	"maps"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

// Content is bound to one VolumeSnapshot only, and retained: the snapshot belongs to
// the backup.
func (s *Run) Content(v *Volume) *snapshotv1.VolumeSnapshotContent {
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

// Snapshot is the VolumeSnapshot that a claim names as its data source.
func (s *Run) Snapshot(v *Volume) *snapshotv1.VolumeSnapshot {
	o := &snapshotv1.VolumeSnapshot{
		TypeMeta:   metav1.TypeMeta{APIVersion: snapshotv1.SchemeGroupVersion.String(), Kind: "VolumeSnapshot"},
		ObjectMeta: s.madeFor(v.Snapshot),
		Spec:       snapshotv1.VolumeSnapshotSpec{Source: snapshotv1.VolumeSnapshotSource{VolumeSnapshotContentName: &v.Snapshot.Name}},
	}
	o.Namespace = v.Target
	return o
}

// madeFor labels what a restore makes beside the objects of the backup.
func (s *Run) madeFor(p *SnapshotPlan) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: p.Name,
		Labels: map[string]string{
			resource.LabelBackup: resource.LabelValue(s.Archive.Backup), resource.LabelRestore: resource.LabelValue(s.Restore.Name),
		},
		Annotations: map[string]string{csi.AnnotationPolicy: string(snapshotv1.VolumeSnapshotContentRetain)},
	}
}
