package volume

// Phase is how far a native snapshot is, in Velero's words.
type Phase string

// Velero's phases. The values are part of its file format.
const (
	PhaseNew       Phase = "New"
	PhaseCompleted Phase = "Completed"
	PhaseFailed    Phase = "Failed"
)

// NativeSnapshot is an entry of a backup's volumesnapshots file (docs/VELERO.md 2.6).
type NativeSnapshot struct {
	Spec   NativeSnapshotSpec   `json:"spec"`
	Status NativeSnapshotStatus `json:"status"`
}

// NativeSnapshotSpec is what was to be snapshotted.
type NativeSnapshotSpec struct {
	BackupName string `json:"backupName"`
	BackupUID  string `json:"backupUID"`
	// Location is the name of a VolumeSnapshotLocation that a restore must have.
	Location             string `json:"location"`
	PersistentVolumeName string `json:"persistentVolumeName"`
	ProviderVolumeID     string `json:"providerVolumeID"` // vol-…
	VolumeType           string `json:"volumeType"`
	VolumeAZ             string `json:"volumeAZ,omitempty"`
	VolumeIOPS           *int64 `json:"volumeIOPS,omitempty"`
}

// NativeSnapshotStatus is what became of it.
type NativeSnapshotStatus struct {
	ProviderSnapshotID string `json:"providerSnapshotID,omitempty"` // snap-…
	Phase              Phase  `json:"phase,omitempty"`
}

// Ref is the snapshot itself, false if there was none.
func (s NativeSnapshot) Ref() (NativeRef, bool) {
	id := s.Status.ProviderSnapshotID
	return NativeRef{Location: s.Spec.Location, ID: id, PV: s.Spec.PersistentVolumeName}, id != ""
}
