package volume

import (
	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
)

// Facts is what a backup says about volumes: its objects and the files beside its
// tarball. Backups of Velero 1.12 to 1.18 and ours look the same here; what an older one
// lacks is absent.
type Facts struct {
	Claims    []corev1.PersistentVolumeClaim
	Volumes   map[string]corev1.PersistentVolume
	Snapshots map[string]snapshotv1.VolumeSnapshot        // by "namespace/name"
	Contents  map[string]snapshotv1.VolumeSnapshotContent // by name

	Infos   map[string]Info           // by PersistentVolume
	Natives map[string]NativeSnapshot // by PersistentVolume
	Files   map[string]bool           // "namespace/claim" whose files Velero backed up
}

// NewFacts are those of a backup of which nothing was read yet.
func NewFacts() *Facts {
	return &Facts{
		Volumes: map[string]corev1.PersistentVolume{}, Snapshots: map[string]snapshotv1.VolumeSnapshot{},
		Contents: map[string]snapshotv1.VolumeSnapshotContent{},
		Infos:    map[string]Info{}, Natives: map[string]NativeSnapshot{}, Files: map[string]bool{},
	}
}

// ClaimsByName are the claims by "namespace/name".
func (f *Facts) ClaimsByName() map[string]*corev1.PersistentVolumeClaim {
	out := map[string]*corev1.PersistentVolumeClaim{}
	for i := range f.Claims {
		out[f.Claims[i].Namespace+"/"+f.Claims[i].Name] = &f.Claims[i]
	}
	return out
}
