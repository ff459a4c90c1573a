package volume

import (
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EndedSnapshot is what became in the end of a volume whose snapshot was asked for. It
// lies in staging.
type EndedSnapshot struct {
	Snapshot
	Completed *time.Time `json:"completed,omitempty"` // nil: it failed
	CSI       *CSIInfo   `json:"csi,omitempty"`
}

// Handle is the snapshot's id at the provider, as far as it is known.
func (e *EndedSnapshot) Handle() string {
	if e.CSI != nil {
		return e.CSI.SnapshotHandle
	}
	return e.ID
}

// InfoOf is the entry of a volume in Velero's volumeinfo file. end is nil for a volume
// whose snapshot was not asked for.
func InfoOf(v *Volume, end *EndedSnapshot) Info {
	info := Info{
		PVCName: v.Claim, PVCNamespace: v.Namespace, PVName: v.PV,
		PV: &PVInfo{ReclaimPolicy: v.ReclaimPolicy, Labels: v.PVLabels},
	}
	if end == nil {
		info.Skipped, info.SkippedReason = true, v.SkipReason
		return info
	}
	info.StartTimestamp, info.Result = &metav1.Time{Time: end.At}, Failed
	if end.Completed != nil {
		info.CompletionTimestamp, info.Result = &metav1.Time{Time: *end.Completed}, Succeeded
	}
	info.BackupMethod = v.Method.Velero()
	switch v.Method {
	case MethodCSI:
		info.CSI = end.CSI
		if end.CSI == nil {
			info.CSI = &CSIInfo{Driver: v.Driver}
		}
	case MethodNative:
		info.Native = &NativeInfo{
			SnapshotHandle: end.ID, VolumeType: end.Type, VolumeAZ: zoneOf(v, end),
			IOPS: strconv.FormatInt(veleroIOPS(end), 10), Phase: phaseOf(end),
		}
	}
	return info
}

// NativeSnapshotOf is the entry of a volume in Velero's volumesnapshots file; ok is false
// for volumes that the file does not list. The caller fills in the backup and its location.
func NativeSnapshotOf(v *Volume, end *EndedSnapshot) (entry NativeSnapshot, ok bool) {
	if v.Method != MethodNative {
		return NativeSnapshot{}, false
	}
	iops := veleroIOPS(end)
	return NativeSnapshot{
		Spec: NativeSnapshotSpec{
			PersistentVolumeName: v.PV, ProviderVolumeID: v.VolumeID, VolumeType: end.Type, VolumeAZ: zoneOf(v, end), VolumeIOPS: &iops,
		},
		Status: NativeSnapshotStatus{ProviderSnapshotID: end.ID, Phase: phaseOf(end)},
	}, true
}

// RestoreInfoOf is the entry of a volume that came back with its data as pv, in the
// volumeinfo file of a restore.
func RestoreInfoOf(v *Restore, pv string) RestoreInfo {
	info := RestoreInfo{PVCName: v.Claim, PVCNamespace: v.Target, PVName: pv, RestoreMethod: v.Disposition.Method().Velero()}
	switch {
	case v.Disk != nil:
		info.Native = &NativeInfo{
			SnapshotHandle: v.Disk.Snapshot.ID, VolumeType: v.Disk.Type, VolumeAZ: v.Disk.Zone,
			IOPS: strconv.Itoa(int(v.Disk.IOPS)), Phase: PhaseCompleted,
		}
	case v.Snapshot != nil:
		info.CSI = &CSIInfo{SnapshotHandle: v.Snapshot.Handle, Size: v.Snapshot.Size, Driver: v.Snapshot.Driver, VSCName: v.Snapshot.Name}
	}
	return info
}

// zoneOf is the zone that the volume was in when it was snapshotted, else the one that its
// PersistentVolume names.
func zoneOf(v *Volume, end *EndedSnapshot) string {
	if end.Zone != "" {
		return end.Zone
	}
	return v.Zone
}

// veleroIOPS is 0 for the types for which Velero does not send it back to EC2.
func veleroIOPS(end *EndedSnapshot) int64 {
	if end.Type == "io1" || end.Type == "io2" {
		return int64(end.IOPS)
	}
	return 0
}

func phaseOf(end *EndedSnapshot) Phase {
	if end.Failed != "" {
		return PhaseFailed
	}
	return PhaseCompleted
}

// StatusCounts are the counters of snapshots in the status of Velero's Backup, which has
// them for two methods.
type StatusCounts struct{ NativeAttempted, NativeCompleted, CSIAttempted, CSICompleted int }

// CountEnded counts the snapshots of a backup's volumes.
func CountEnded(all []Volume, ended []EndedSnapshot) StatusCounts {
	var c StatusCounts
	for i := range ended {
		completed := 0
		if ended[i].Completed != nil {
			completed = 1
		}
		switch all[ended[i].Volume].Method {
		case MethodNative:
			c.NativeAttempted++
			c.NativeCompleted += completed
		case MethodCSI:
			c.CSIAttempted++
			c.CSICompleted += completed
		}
	}
	return c
}
