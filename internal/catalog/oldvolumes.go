package catalog

import (
	"context"
	"strconv"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// oldVolumes reads what Velero up to 1.12, which wrote no volumeinfo, says of volumes.
func oldVolumes(ctx context.Context, st store.Store, l layout.Backup) ([]contract.VolumeSummary, error) {
	var all []contract.VolumeSummary
	claims := map[string]snapshotv1.VolumeSnapshot{} // by content
	none := archive.Manifest{}
	if err := repository.EachEntry(ctx, st, none, l.VolumeSnapshots(), func(o volume.NativeSnapshot) { all = append(all, oldNative(o)) }); err != nil {
		return nil, err
	}
	if err := repository.EachEntry(ctx, st, none, l.PodVolumeBackups(), func(o velerov1.PodVolumeBackup) { all = append(all, oldFiles(o)) }); err != nil {
		return nil, err
	}
	if err := repository.EachEntry(ctx, st, none, l.CSIVolumeSnapshots(), func(o snapshotv1.VolumeSnapshot) {
		if o.Status != nil && o.Status.BoundVolumeSnapshotContentName != nil {
			claims[*o.Status.BoundVolumeSnapshotContentName] = o
		}
	}); err != nil {
		return nil, err
	}
	err := repository.EachEntry(ctx, st, none, l.CSIVolumeSnapshotContents(), func(o snapshotv1.VolumeSnapshotContent) {
		all = append(all, oldContent(o, claims[o.Name]))
	})
	return all, err
}

func oldNative(o volume.NativeSnapshot) contract.VolumeSummary {
	v := contract.VolumeSummary{
		PV: o.Spec.PersistentVolumeName, Method: string(volume.VeleroNative), Snapshot: o.Status.ProviderSnapshotID,
		Type: o.Spec.VolumeType, Zone: o.Spec.VolumeAZ, Result: string(resultOfPhase(string(o.Status.Phase))),
	}
	if o.Spec.VolumeIOPS != nil {
		v.IOPS = strconv.FormatInt(*o.Spec.VolumeIOPS, 10)
	}
	return v
}

func oldFiles(o velerov1.PodVolumeBackup) contract.VolumeSummary {
	return contract.VolumeSummary{
		Namespace: o.Spec.Pod.Namespace, Claim: o.Annotations[volume.AnnotationPodVolumeClaim], Method: string(volume.VeleroPodVolumeBackup),
		Snapshot: o.Status.SnapshotID, Bytes: o.Status.Progress.TotalBytes, Result: string(resultOfPhase(string(o.Status.Phase))),
		Pod: resource.ObjectName(o.Spec.Pod.Namespace, o.Spec.Pod.Name), PodVolume: o.Spec.Volume, Uploader: o.Spec.UploaderType,
	}
}

// oldContent is a CSI snapshot; vs is the zero value where nothing names its claim.
func oldContent(o snapshotv1.VolumeSnapshotContent, vs snapshotv1.VolumeSnapshot) contract.VolumeSummary {
	v := contract.VolumeSummary{Namespace: vs.Namespace, Method: string(volume.VeleroCSI), Driver: o.Spec.Driver, Content: o.Name}
	if claim := vs.Spec.Source.PersistentVolumeClaimName; claim != nil {
		v.Claim = *claim
	}
	if s := o.Status; s != nil {
		if s.SnapshotHandle != nil {
			v.Snapshot = *s.SnapshotHandle
		}
		if s.RestoreSize != nil {
			v.Bytes = *s.RestoreSize
		}
		if s.ReadyToUse != nil && *s.ReadyToUse {
			v.Result = string(volume.Succeeded)
		}
	}
	return v
}
