package volumes

import (
	"context"
	"errors"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// volumeFacts is what a backup says about volumes: its objects and the files beside
// its tarball. Backups of Velero 1.12 to 1.18 and ours look the same here; what an
// older one lacks is absent.
type volumeFacts struct {
	claims    []corev1.PersistentVolumeClaim
	volumes   map[string]corev1.PersistentVolume
	snapshots map[string]snapshotv1.VolumeSnapshot        // by "namespace/name"
	contents  map[string]snapshotv1.VolumeSnapshotContent // by name

	infos   map[string]volume.Info           // by PV
	natives map[string]volume.NativeSnapshot // by PV
	files   map[string]bool                  // "namespace/claim" whose files Velero backed up
}

// readFacts reads all of it: claims and volumes are few beside other objects.
func readFacts(ctx context.Context, s *restore.Run, src store.Store) (*volumeFacts, error) {
	f := &volumeFacts{
		volumes: map[string]corev1.PersistentVolume{}, snapshots: map[string]snapshotv1.VolumeSnapshot{},
		contents: map[string]snapshotv1.VolumeSnapshotContent{},
		infos:    map[string]volume.Info{}, natives: map[string]volume.NativeSnapshot{}, files: map[string]bool{},
	}
	err := errors.Join(
		repository.EachObject(ctx, s.Arc, resource.PersistentVolumeClaims, func(o corev1.PersistentVolumeClaim) { f.claims = append(f.claims, o) }),
		repository.EachObject(ctx, s.Arc, resource.PersistentVolumes, func(o corev1.PersistentVolume) { f.volumes[o.Name] = o }),
		repository.EachObject(ctx, s.Arc, resource.VolumeSnapshots, f.addSnapshot),
		repository.EachObject(ctx, s.Arc, resource.VolumeSnapshotContents, f.addContent),
	)
	if err != nil {
		return nil, err
	}
	return f, f.readFiles(ctx, src, s.Arc.Manifest(), archive.Layout{Backup: s.Archive.Backup})
}

func (f *volumeFacts) addSnapshot(o snapshotv1.VolumeSnapshot) {
	f.snapshots[resource.ObjectName(o.Namespace, o.Name)] = o
}

func (f *volumeFacts) addContent(o snapshotv1.VolumeSnapshotContent) { f.contents[o.Name] = o }

// readFiles reads the files beside the tarball. Those that only old versions of Velero
// wrote fill in what the tarball does not have.
func (f *volumeFacts) readFiles(ctx context.Context, src store.Store, m archive.Manifest, l archive.Layout) error {
	return errors.Join(
		repository.EachEntry(ctx, src, m, l.VolumeInfo(), func(o volume.Info) { f.infos[o.PVName] = o }),
		repository.EachEntry(ctx, src, m, l.VolumeSnapshots(), func(o volume.NativeSnapshot) { f.natives[o.Spec.PersistentVolumeName] = o }),
		repository.EachEntry(ctx, src, m, l.PodVolumeBackups(), f.addFiles),
		repository.EachEntry(ctx, src, m, l.CSIVolumeSnapshots(), func(o snapshotv1.VolumeSnapshot) {
			if _, ok := f.snapshots[resource.ObjectName(o.Namespace, o.Name)]; !ok {
				f.addSnapshot(o)
			}
		}),
		repository.EachEntry(ctx, src, m, l.CSIVolumeSnapshotContents(), func(o snapshotv1.VolumeSnapshotContent) {
			if _, ok := f.contents[o.Name]; !ok {
				f.addContent(o)
			}
		}),
	)
}

func (f *volumeFacts) addFiles(o velerov1.PodVolumeBackup) {
	if claim := o.Annotations[volume.AnnotationPodVolumeClaim]; claim != "" {
		f.files[resource.ObjectName(o.Spec.Pod.Namespace, claim)] = true
	}
}
