package volume

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// VeleroMethod is Velero's name for the way a volume was backed up or restored.
type VeleroMethod string

// Velero's methods. The values are part of its file format.
const (
	VeleroNative           VeleroMethod = "NativeSnapshot"
	VeleroCSI              VeleroMethod = "CSISnapshot"
	VeleroPodVolumeBackup  VeleroMethod = "PodVolumeBackup"
	VeleroPodVolumeRestore VeleroMethod = "PodVolumeRestore"
)

// Velero is the word that Velero's files have for a method, "" for none.
func (m Method) Velero() VeleroMethod {
	return map[Method]VeleroMethod{MethodNative: VeleroNative, MethodCSI: VeleroCSI}[m]
}

// Result is whether a volume's data is in the backup.
type Result string

// Velero's results. The values are part of its file format.
const (
	Succeeded Result = "succeeded"
	Failed    Result = "failed"
)

// Unknown stands where Velero has no value, as for the handle of a local snapshot
// whose data was moved.
const Unknown = "unknown"

// Info is an entry of a backup's volumeinfo file (docs/VELERO.md 2.6): what a reader
// has to know of a volume to bring it back. Method is empty where the volume was
// skipped.
type Info struct {
	PVCName               string       `json:"pvcName,omitempty"`
	PVCNamespace          string       `json:"pvcNamespace,omitempty"`
	PVName                string       `json:"pvName,omitempty"`
	BackupMethod          VeleroMethod `json:"backupMethod,omitempty"`
	SnapshotDataMoved     bool         `json:"snapshotDataMoved"`
	PreserveLocalSnapshot bool         `json:"preserveLocalSnapshot"`
	Skipped               bool         `json:"skipped"`
	SkippedReason         string       `json:"skippedReason,omitempty"`
	StartTimestamp        *metav1.Time `json:"startTimestamp,omitempty"`
	CompletionTimestamp   *metav1.Time `json:"completionTimestamp,omitempty"`
	Result                Result       `json:"result,omitempty"`

	CSI    *CSIInfo       `json:"csiSnapshotInfo,omitempty"`
	Moved  *MovedInfo     `json:"snapshotDataMovementInfo,omitempty"`
	Native *NativeInfo    `json:"nativeSnapshotInfo,omitempty"`
	PVB    *PodVolumeInfo `json:"pvbInfo,omitempty"`
	PV     *PVInfo        `json:"pvInfo,omitempty"`
}

// Snapshot names the snapshot of the volume: by its driver, which is the method
// where no driver took it, and by its handle there.
func (i Info) Snapshot() (driver, handle string) {
	switch {
	case i.CSI != nil:
		return i.CSI.Driver, i.CSI.SnapshotHandle
	case i.Native != nil:
		return string(MethodNative), i.Native.SnapshotHandle
	}
	return "", ""
}

// SnapshotHandles are the names that providers have for the snapshots of the volume.
func (i Info) SnapshotHandles() []string {
	var out []string
	if i.Native != nil && i.Native.SnapshotHandle != "" {
		out = append(out, i.Native.SnapshotHandle)
	}
	if i.CSI != nil && i.CSI.SnapshotHandle != "" {
		out = append(out, i.CSI.SnapshotHandle)
	}
	return out
}

// CSIRef is the snapshot that a CSI driver deletes, false if there is none. Velero has deleted
// one whose data it has moved.
func (i Info) CSIRef() (CSIRef, bool) {
	if i.CSI == nil || i.SnapshotDataMoved || i.CSI.SnapshotHandle == "" || i.CSI.SnapshotHandle == Unknown {
		return CSIRef{}, false
	}
	return CSIRef{Driver: i.CSI.Driver, Handle: i.CSI.SnapshotHandle, Content: i.CSI.VSCName, Group: i.CSI.GroupHandle}, true
}

// CSIInfo is the snapshot of a volume of the CSI method.
type CSIInfo struct {
	SnapshotHandle string `json:"snapshotHandle"`
	Size           int64  `json:"size"` // bytes, the restore size
	Driver         string `json:"driver"`
	VSCName        string `json:"vscName"`
	OperationID    string `json:"operationID,omitempty"`
	// ReadyToUse has a capital letter in Velero's file too.
	ReadyToUse  *bool  `json:"ReadyToUse"`
	GroupHandle string `json:"volumeGroupSnapshotHandle,omitempty"`
}

// NativeInfo is the snapshot of a volume of the native method.
type NativeInfo struct {
	SnapshotHandle string `json:"snapshotHandle"` // snap-…
	VolumeType     string `json:"volumeType"`
	VolumeAZ       string `json:"volumeAZ"`
	IOPS           string `json:"iops"`  // a number
	Phase          Phase  `json:"Phase"` // capital letter as in Velero's file
}

// MovedInfo tells of snapshot data that Velero moved into its repository.
type MovedInfo struct {
	DataMover        string `json:"dataMover"`
	UploaderType     string `json:"uploaderType"`
	RetainedSnapshot string `json:"retainedSnapshot,omitempty"`
	SnapshotHandle   string `json:"snapshotHandle"`
	OperationID      string `json:"operationID"`
	Size             int64  `json:"size"`
	IncrementalSize  int64  `json:"incrementalSize,omitempty"`
	Phase            string `json:"Phase"`
}

// PodVolumeInfo tells of a volume of a pod whose files Velero backed up or restored.
type PodVolumeInfo struct {
	SnapshotHandle  string `json:"snapshotHandle,omitempty"`
	Size            int64  `json:"size,omitempty"`
	IncrementalSize int64  `json:"incrementalSize,omitempty"`
	UploaderType    string `json:"uploaderType"`
	VolumeName      string `json:"volumeName"`
	PodName         string `json:"podName"`
	PodNamespace    string `json:"podNamespace"`
	NodeName        string `json:"nodeName,omitempty"`
	Phase           string `json:"Phase"`
}

// PVInfo is what a PersistentVolume that is provisioned anew is given back.
type PVInfo struct {
	ReclaimPolicy string            `json:"reclaimPolicy"`
	Labels        map[string]string `json:"labels"`
}

// RestoreInfo is an entry of a restore's volumeinfo file.
type RestoreInfo struct {
	PVCName           string         `json:"pvcName,omitempty"`
	PVCNamespace      string         `json:"pvcNamespace,omitempty"`
	PVName            string         `json:"pvName,omitempty"`
	RestoreMethod     VeleroMethod   `json:"restoreMethod,omitempty"`
	SnapshotDataMoved bool           `json:"snapshotDataMoved"`
	CSI               *CSIInfo       `json:"csiSnapshotInfo,omitempty"`
	Moved             *MovedInfo     `json:"snapshotDataMovementInfo,omitempty"`
	Native            *NativeInfo    `json:"nativeSnapshotInfo,omitempty"`
	PVR               *PodVolumeInfo `json:"pvrInfo,omitempty"`
}
