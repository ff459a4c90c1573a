package volumes

import (
	"context"
	"errors"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// factReader reads what a backup says of volumes.
type factReader struct{ *volume.Facts }

// readFacts reads all of it: claims and volumes are few beside other objects.
func readFacts(ctx context.Context, s *restore.Run, src store.Store) (*volume.Facts, error) {
	f := &factReader{volume.NewFacts()}
	err := errors.Join(
		repository.EachObject(ctx, s.Arc, resource.PersistentVolumeClaims, func(o corev1.PersistentVolumeClaim) { f.Claims = append(f.Claims, o) }),
		repository.EachObject(ctx, s.Arc, resource.PersistentVolumes, func(o corev1.PersistentVolume) { f.Volumes[o.Name] = o }),
		repository.EachObject(ctx, s.Arc, resource.VolumeSnapshots, f.addSnapshot),
		repository.EachObject(ctx, s.Arc, resource.VolumeSnapshotContents, f.addContent),
	)
	if err != nil {
		return nil, err
	}
	return f.Facts, f.readFiles(ctx, src, s.Arc.Manifest(), layout.Backup{Name: s.Archive.Backup})
}

func (f *factReader) addSnapshot(o snapshotv1.VolumeSnapshot) {
	f.Snapshots[resource.ObjectName(o.Namespace, o.Name)] = o
}

func (f *factReader) addContent(o snapshotv1.VolumeSnapshotContent) { f.Contents[o.Name] = o }

// readFiles reads the files beside the tarball. Those that only old versions of Velero
// wrote fill in what the tarball does not have.
func (f *factReader) readFiles(ctx context.Context, src store.Store, m archive.Manifest, l layout.Backup) error {
	return errors.Join(
		repository.EachEntry(ctx, src, m, l.VolumeInfo(), func(o volume.Info) { f.Infos[o.PVName] = o }),
		repository.EachEntry(ctx, src, m, l.VolumeSnapshots(), func(o volume.NativeSnapshot) { f.Natives[o.Spec.PersistentVolumeName] = o }),
		repository.EachEntry(ctx, src, m, l.PodVolumeBackups(), f.addFiles),
		repository.EachEntry(ctx, src, m, l.CSIVolumeSnapshots(), func(o snapshotv1.VolumeSnapshot) {
			if _, ok := f.Snapshots[resource.ObjectName(o.Namespace, o.Name)]; !ok {
				f.addSnapshot(o)
			}
		}),
		repository.EachEntry(ctx, src, m, l.CSIVolumeSnapshotContents(), func(o snapshotv1.VolumeSnapshotContent) {
			if _, ok := f.Contents[o.Name]; !ok {
				f.addContent(o)
			}
		}),
	)
}

func (f *factReader) addFiles(o velerov1.PodVolumeBackup) {
	if claim := o.Annotations[volume.AnnotationPodVolumeClaim]; claim != "" {
		f.Files[resource.ObjectName(o.Spec.Pod.Namespace, claim)] = true
	}
}
