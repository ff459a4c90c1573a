package contract

import "time"

// What an orphan can be.
const (
	OrphanSnapshot  = "snapshot"  // of EBS, that no backup and no run names
	OrphanVolume    = "volume"    // of EBS, that no restore and no PersistentVolume names
	OrphanRun       = "run"       // what a run that has ended left in the bucket and in the account
	OrphanDirectory = "directory" // files of a backup that was not committed
	OrphanUpload    = "upload"    // a multipart upload that was not finished
	OrphanContent   = "content"   // a VolumeSnapshotContent that a restore left behind
	// OrphanVolumeSnapshot is one that a backup left in a namespace, and does not name.
	OrphanVolumeSnapshot = "volumesnapshot"
	OrphanDrill          = "drill" // the copy of a restore drill whose run has ended
	// OrphanLocation is a storage location that a schedule or a snapshot names, and the configuration
	// does not have: nothing of it is collected.
	OrphanLocation = "location"
)

// Orphan is something of ours that nothing names any more.
type Orphan struct {
	Kind string `json:"kind"`
	// ID is a snapshot's, a volume's, the UID of a run, a name, or a key.
	ID string `json:"id"`
	// Location is the storage location whose backup or restore it is of.
	Location string `json:"storageLocation,omitempty"`
	// SnapshotLocation is where a snapshot or volume is.
	SnapshotLocation string    `json:"volumeSnapshotLocation,omitempty"`
	Cluster          string    `json:"cluster,omitempty"`
	Backup           string    `json:"backup,omitempty"`
	Restore          string    `json:"restore,omitempty"`
	UID              string    `json:"uid,omitempty"`       // of the backup or restore
	ObjectUID        string    `json:"objectUID,omitempty"` // of a VolumeSnapshot
	Handle           string    `json:"handle,omitempty"`    // of the snapshot that it stands for
	Workflow         string    `json:"workflow,omitempty"`
	Since            time.Time `json:"since"`
	SizeGiB          int32     `json:"sizeGiB,omitempty"`
	CSI              bool      `json:"csi,omitempty"` // a driver made the snapshot
	// Reason is why it stays; "" if it goes.
	Reason string `json:"reason,omitempty"`
	// Binding is the run's.
	Binding Binding `json:"binding,omitzero"`
}

// PlanOrphansInput asks what nothing names at a time.
type PlanOrphansInput struct {
	Now time.Time `json:"now"`
	// Cluster is whose orphans are meant; "" is the worker's own.
	Cluster string `json:"cluster,omitempty"`
	// DryRun only looks: it is not even remembered that somebody has looked.
	DryRun bool `json:"dryRun,omitempty"`
}

// OrphanPlan tells what becomes of orphans, at most a page of those that go and of those that
// stay.
type OrphanPlan struct {
	Remove     []Orphan `json:"remove,omitempty"`
	Keep       []Orphan `json:"keep,omitempty"`
	MoreRemove int      `json:"moreRemove,omitempty"`
	MoreKeep   int      `json:"moreKeep,omitempty"`
	// Unread says what could not be searched, and why.
	Unread []string `json:"unread,omitempty"`
}

// RemoveOrphansInput asks to remove orphans of a plan. Each is looked at again before.
type RemoveOrphansInput struct {
	Orphans []Orphan `json:"orphans"`
	Cluster string   `json:"cluster,omitempty"`
	// Run is the collection that removes them; it holds the names of backups meanwhile.
	Run Run `json:"run"`
}

// OrphanResult says what became of them.
type OrphanResult struct {
	Removed int `json:"removed"`
	// Gone are those that were removed.
	Gone []Orphan `json:"gone,omitempty"`
	// Kept are those that are there still, each with its reason.
	Kept []Orphan `json:"kept,omitempty"`
}

// SnapshotSummary says whose a snapshot of the account is.
type SnapshotSummary struct {
	ID               string    `json:"id"`
	SnapshotLocation string    `json:"volumeSnapshotLocation"`
	Started          time.Time `json:"started"`
	// SizeGiB is that of the volume; blocks that did not change are shared with other snapshots.
	SizeGiB int32 `json:"sizeGiB"`

	Cluster string `json:"cluster,omitempty"`
	Backup  string `json:"backup,omitempty"`
	UID     string `json:"backupUID,omitempty"`
	Volume  string `json:"volume,omitempty"` // the PersistentVolume or the claim
	// Encrypted says that a volume of it is, too.
	Encrypted bool `json:"encrypted,omitempty"`
	// Bucket is where the backup's files lie; the digest of a place that this worker does not
	// know.
	Bucket   string `json:"bucket,omitempty"`
	Location string `json:"storageLocation,omitempty"`
	// Kept is why it is there, Until when that ends; nil is never, or not known.
	Kept  string     `json:"kept"`
	Until *time.Time `json:"until,omitempty"`
}
