package contract

// VolumeSummary is one volume of a backup or restore as `describe` shows it. What
// does not apply to its method is empty.
type VolumeSummary struct {
	Namespace string `json:"namespace,omitempty"` // of the claim
	Claim     string `json:"claim,omitempty"`
	PV        string `json:"pv,omitempty"`
	// Method is Velero's word: NativeSnapshot, CSISnapshot, PodVolumeBackup or
	// PodVolumeRestore. A volume that was skipped has none.
	Method   string `json:"method,omitempty"`
	Snapshot string `json:"snapshot,omitempty"` // snap-…, or a driver's handle
	Zone     string `json:"zone,omitempty"`
	Bytes    int64  `json:"bytes,omitempty"`
	// Result is succeeded or failed; old versions of Velero may not say.
	Result        string `json:"result,omitempty"`
	Skipped       bool   `json:"skipped,omitempty"`
	SkippedReason string `json:"skippedReason,omitempty"`

	Type string `json:"type,omitempty"` // of an EBS volume
	IOPS string `json:"iops,omitempty"`

	Driver    string `json:"driver,omitempty"`
	Content   string `json:"content,omitempty"` // name of the VolumeSnapshotContent
	Operation string `json:"operationID,omitempty"`

	// Moved says that Velero copied the data of the snapshot into its repository.
	Moved     bool   `json:"dataMoved,omitempty"`
	DataMover string `json:"dataMover,omitempty"`
	Uploader  string `json:"uploader,omitempty"`
	Pod       string `json:"pod,omitempty"` // namespace/name of the pod whose files were backed up
	PodVolume string `json:"podVolume,omitempty"`
}

// BackupCost is what a backup takes up.
type BackupCost struct {
	Name     string `json:"name"`
	Location string `json:"storageLocation"`
	// ObjectBytes is the size of its files in the bucket.
	ObjectBytes int64 `json:"objectBytes"`
	// Snapshots are those of EBS that were measured, and SnapshotBytes the blocks that they
	// add to those before them: each block counts once in the chain of a volume.
	Snapshots     int   `json:"snapshots"`
	SnapshotBytes int64 `json:"snapshotBytes"`
	// Unmeasured are the snapshots that could not be measured, with the reason: the first 50.
	Unmeasured     []string `json:"unmeasured,omitempty"`
	MoreUnmeasured int      `json:"moreUnmeasured,omitempty"`
}

// SnapshotLocationStatus is a row of `snapshot-location get` and the answer of
// `snapshot-location check`. It has no field for credentials or where they lie.
type SnapshotLocationStatus struct {
	Name     string `json:"name"`
	Provider string `json:"provider"`
	Region   string `json:"region,omitempty"`
	KMSKey   string `json:"kmsKeyID,omitempty"` // that restored volumes are encrypted with

	// What follows is known after a check.
	Phase        string       `json:"phase,omitempty"` // Available or Unavailable
	Message      string       `json:"message,omitempty"`
	Account      string       `json:"account,omitempty"`  // of AWS
	Identity     string       `json:"identity,omitempty"` // ARN of who the worker is there
	Capabilities []Capability `json:"capabilities,omitempty"`
}
