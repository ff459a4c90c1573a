package contract

// SnapshotVolumesInput asks for the snapshots of one unit of the plan: volumes that
// are frozen, snapshotted and thawed together, or a batch of volumes without hooks.
type SnapshotVolumesInput struct {
	Ref  BackupRef `json:"ref"`
	Unit int       `json:"unit"`
}

// SnapshotResult counts what a unit began. What each volume got lies in staging.
type SnapshotResult struct {
	Taken    int `json:"taken"`
	Failed   int `json:"failed"`
	Warnings int `json:"warnings"`
	Errors   int `json:"errors"`
}

// CheckVolumesInput asks how far the snapshots of a backup are.
type CheckVolumesInput struct {
	Ref BackupRef `json:"ref"`
}

// VolumeStatus says how far they are.
type VolumeStatus struct {
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Pending   int `json:"pending"`
	Percent   int `json:"percent"` // of the bytes of all, as far as the provider tells
}

// FinishVolumesInput asks to record the snapshots, and to take what stood for them
// in the cluster away.
type FinishVolumesInput struct {
	Ref   BackupRef `json:"ref"`
	Shard int       `json:"shard"` // the number of the shard to write their objects to
}

// AbandonVolumesInput asks to thaw whatever is frozen and to delete the snapshots of
// a backup that will not be.
type AbandonVolumesInput struct {
	Ref BackupRef `json:"ref"`
}

// VolumeCounts are Velero's counters in a backup's status.
type VolumeCounts struct {
	NativeAttempted int `json:"nativeAttempted,omitempty"`
	NativeCompleted int `json:"nativeCompleted,omitempty"`
	CSIAttempted    int `json:"csiAttempted,omitempty"`
	CSICompleted    int `json:"csiCompleted,omitempty"`
	HooksAttempted  int `json:"hooksAttempted,omitempty"`
	HooksFailed     int `json:"hooksFailed,omitempty"`
}

// SnapshotDeletion says what became of a deleted backup's snapshots.
type SnapshotDeletion struct {
	Deleted int `json:"deleted"`
	Gone    int `json:"gone,omitempty"` // were not there any more
	// Retained are snapshots that the provider keeps (lock, recycle bin) or that are
	// not ours, with the reason.
	Retained []string `json:"retained,omitempty"`
}
