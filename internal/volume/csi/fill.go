package csi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// ClaimObjects are a content that stands for the snapshot at the provider, and a
// VolumeSnapshot bound to it. Their names derive from the restore's uid: a repeat finds
// them. They stay, as with Velero.
func (r *Restorer) ClaimObjects(v *volume.Restore) ([]volume.Object, error) {
	var out []volume.Object
	for _, o := range []struct {
		of        kube.Resource
		namespace string
		object    any
	}{
		{kube.VolumeSnapshotContents(), "", r.restoredContent(v)},
		{kube.VolumeSnapshots(), v.Target, r.restoredSnapshot(v)},
	} {
		body, err := json.Marshal(o.object)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", o.of.GroupResource(), err)
		}
		key := archive.Key{Resource: o.of.GroupResource(), Version: o.of.Version, Namespace: o.namespace, Name: v.Snapshot.Name}
		out = append(out, volume.Object{Key: key, Body: body})
	}
	return out, nil
}

// restoredContent stands for the snapshot of a claim. It is bound to one VolumeSnapshot
// only, and retained: the snapshot belongs to the backup.
func (r *Restorer) restoredContent(v *volume.Restore) *snapshotv1.VolumeSnapshotContent {
	p := v.Snapshot
	s := volume.CSIRef{Driver: p.Driver, Handle: p.Handle, Class: p.Class, SourceMode: p.SourceMode}
	meta := r.restoredMeta(p)
	maps.Copy(meta.Annotations, p.Annotations)
	return newContent(meta, s, snapshotv1.VolumeSnapshotContentRetain, v.Target)
}

// restoredSnapshot is the VolumeSnapshot that a claim names as its data source.
func (r *Restorer) restoredSnapshot(v *volume.Restore) *snapshotv1.VolumeSnapshot {
	o := &snapshotv1.VolumeSnapshot{
		TypeMeta:   metav1.TypeMeta{APIVersion: snapshotv1.SchemeGroupVersion.String(), Kind: "VolumeSnapshot"},
		ObjectMeta: r.restoredMeta(v.Snapshot),
		Spec:       snapshotv1.VolumeSnapshotSpec{Source: snapshotv1.VolumeSnapshotSource{VolumeSnapshotContentName: &v.Snapshot.Name}},
	}
	o.Namespace = v.Target
	return o
}

// restoredMeta labels what a restore makes beside the objects of the backup.
func (r *Restorer) restoredMeta(p *volume.SnapshotPlan) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: p.Name,
		Labels: map[string]string{
			resource.LabelBackup: resource.LabelValue(r.Run.Backup), resource.LabelRestore: resource.LabelValue(r.Run.Name),
		},
		Annotations: map[string]string{AnnotationPolicy: string(snapshotv1.VolumeSnapshotContentRetain)},
	}
}

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
		IsFinal: SaysSnapshotIsGone(text, v.Snapshot.Handle) && waited >= goneAfter,
	}, nil
}
