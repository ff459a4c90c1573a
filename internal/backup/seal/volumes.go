package seal

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// volumeInfos are the entries of Velero's volumeinfo file (docs/VELERO.md 2.6): one for each
// volume of the backup, by its name.
func volumeInfos(p *backup.Plan, final *backup.FinalVolumes) []volume.Info {
	ends := map[int]*backup.EndedSnapshot{}
	for i := range final.Ended {
		ends[final.Ended[i].Volume] = &final.Ended[i]
	}
	out := []volume.Info{}
	for i := range p.Volumes.Volumes {
		if v := &p.Volumes.Volumes[i]; v.PV != "" {
			out = append(out, volumeInfo(v, ends[i]))
		}
	}
	return out
}

func volumeInfo(v *volume.Volume, e *backup.EndedSnapshot) volume.Info {
	info := volume.Info{
		PVCName: v.Claim, PVCNamespace: v.Namespace, PVName: v.PV,
		PV: &volume.PVInfo{ReclaimPolicy: v.ReclaimPolicy, Labels: v.PVLabels},
	}
	if e == nil {
		info.Skipped, info.SkippedReason = true, v.SkipReason
		return info
	}
	info.StartTimestamp, info.Result = &metav1.Time{Time: e.At}, volume.Failed
	if e.Completed != nil {
		info.CompletionTimestamp, info.Result = &metav1.Time{Time: *e.Completed}, volume.Succeeded
	}
	switch v.Path {
	case volume.CSI:
		info.BackupMethod, info.CSI = volume.MethodCSI, e.CSI
		if e.CSI == nil {
			info.CSI = &volume.CSIInfo{Driver: v.Driver}
		}
	case volume.Native:
		info.BackupMethod, info.Native = volume.MethodNative, &volume.NativeInfo{
			SnapshotHandle: e.ID, VolumeType: e.Type, VolumeAZ: zoneOfSnapshot(v, e), IOPS: strconv.FormatInt(veleroIOPS(e), 10), Phase: phaseOf(e),
		}
	}
	return info
}

// nativeSnapshotList are the entries of Velero's volumesnapshots file.
func nativeSnapshotList(p *backup.Plan, final *backup.FinalVolumes) []volume.NativeSnapshot {
	out := []volume.NativeSnapshot{}
	for i := range final.Ended {
		e := &final.Ended[i]
		v := &p.Volumes.Volumes[e.Volume]
		if v.Path != volume.Native {
			continue
		}
		iops := veleroIOPS(e)
		out = append(out, volume.NativeSnapshot{
			Spec: volume.NativeSnapshotSpec{
				BackupName: p.Backup.Name, BackupUID: p.UID, Location: p.Volumes.Location, PersistentVolumeName: v.PV,
				ProviderVolumeID: v.VolumeID, VolumeType: e.Type, VolumeAZ: zoneOfSnapshot(v, e), VolumeIOPS: &iops,
			},
			Status: volume.NativeSnapshotStatus{ProviderSnapshotID: e.ID, Phase: phaseOf(e)},
		})
	}
	return out
}

func zoneOfSnapshot(v *volume.Volume, e *backup.EndedSnapshot) string {
	if e.Zone != "" {
		return e.Zone
	}
	return v.Zone
}

// veleroIOPS is 0 for the types for which Velero does not send it back to EC2.
func veleroIOPS(e *backup.EndedSnapshot) int64 {
	if e.Type == "io1" || e.Type == "io2" {
		return int64(e.IOPS)
	}
	return 0
}

func phaseOf(e *backup.EndedSnapshot) volume.Phase {
	if e.Failed != "" {
		return volume.PhaseFailed
	}
	return volume.PhaseCompleted
}

// volumeCounts are those of the Backup's status.
func volumeCounts(f *backup.FinalVolumes, p *backup.VolumePlan) contract.VolumeCounts {
	c := contract.VolumeCounts{HooksAttempted: f.Hooks.Attempted, HooksFailed: f.Hooks.Failed}
	for _, e := range f.Ended {
		done := 0
		if e.Completed != nil {
			done = 1
		}
		if p.Volumes[e.Volume].Path == volume.Native {
			c.NativeAttempted++
			c.NativeCompleted += done
		} else {
			c.CSIAttempted++
			c.CSICompleted += done
		}
	}
	return c
}

// handleOfEnded is the snapshot's id at the provider, as far as it is known.
func handleOfEnded(e *backup.EndedSnapshot) string {
	if e.CSI != nil {
		return e.CSI.SnapshotHandle
	}
	return e.ID
}
