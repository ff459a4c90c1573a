package ebs

import "time"

// Volume is an EBS volume as EC2 describes it.
type Volume struct {
	// ID is vol-….
	ID string `json:"id"`
	// Type is gp3, gp2, io2 and so on.
	Type string `json:"type,omitempty"`
	// Zone is the availability zone.
	Zone    string `json:"zone,omitempty"`
	SizeGiB int32  `json:"sizeGiB,omitempty"`
	// IOPS and Throughput (MiB/s) are 0 where EC2 tells none.
	IOPS       int32 `json:"iops,omitempty"`
	Throughput int32 `json:"throughput,omitempty"`
	Encrypted  bool  `json:"encrypted,omitempty"`
	// KMSKeyID is the key's ARN.
	KMSKeyID string `json:"kmsKeyID,omitempty"`
	// Instance is the one it is attached to, or being attached to; "" for none.
	Instance string `json:"instance,omitempty"`
	// MultiAttach lets several instances attach it at once (io1 and io2).
	MultiAttach bool `json:"multiAttach,omitempty"`
	// State is one of the Volume… constants.
	State string            `json:"state,omitempty"`
	Tags  map[string]string `json:"tags,omitempty"`
}

// States of a volume.
const (
	VolumeCreating  = "creating"
	VolumeAvailable = "available"
	VolumeInUse     = "in-use"
	VolumeDeleting  = "deleting"
	VolumeDeleted   = "deleted"
	VolumeFailed    = "error"
)

// Snapshot is an EBS snapshot as EC2 describes it.
type Snapshot struct {
	// ID is snap-….
	ID       string `json:"id"`
	VolumeID string `json:"volumeID,omitempty"`
	// State is one of the Snapshot… constants; StateMessage says why it failed.
	State        string `json:"state,omitempty"`
	StateMessage string `json:"stateMessage,omitempty"`
	// Zone is the source volume's, when Snapshot or SnapshotInstance returned
	// it; EC2 itself does not keep it.
	Zone string `json:"zone,omitempty"`
	// Progress in per cent.
	Progress  int               `json:"progress,omitempty"`
	Started   time.Time         `json:"started,omitzero"`
	SizeGiB   int32             `json:"sizeGiB,omitempty"`
	Encrypted bool              `json:"encrypted,omitempty"`
	KMSKeyID  string            `json:"kmsKeyID,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	// Archived is one in the archive tier: no volume can be made of it until it is restored
	// from there, which takes up to 72 hours.
	Archived bool `json:"archived,omitempty"`
}

// States of a snapshot.
const (
	SnapshotPending   = "pending"
	SnapshotCompleted = "completed"
	SnapshotFailed    = "error"
	// SnapshotRecoverable is one on its way out of the Recycle Bin.
	SnapshotRecoverable = "recoverable"
)

// Request asks for one volume's snapshot.
type Request struct {
	// Volume as Volumes told it: ID, and Type for the limits of its kind.
	Volume Volume
	// PV is the PersistentVolume's name.
	PV string
	// Tags are the final ones, see Tags. They must hold TagBackupUID and TagPV.
	Tags map[string]string
}

// VolumeRequest asks for a volume made from a snapshot.
type VolumeRequest struct {
	// RestoreUID and PV say which volume of which restore this is: asking twice
	// gives the same volume.
	RestoreUID string
	PV         string
	// Snapshot as Snapshots told it, which must be completed.
	Snapshot Snapshot
	// Zone is the availability zone to make it in.
	Zone string
	// Type is the source volume's; "" leaves it to EC2.
	Type string
	// IOPS and Throughput (MiB/s) are the source volume's; 0 is the type's
	// baseline. They are sent only for types that take them.
	IOPS       int32
	Throughput int32
	// InitializationRate is how fast EC2 loads it from the snapshot, in MiB/s; 0 is the location's.
	InitializationRate int32
	// MultiAttach is the source volume's; it is sent only for types that take it.
	MultiAttach bool
	// AutoMode says that the driver of EKS Auto Mode is to attach it, whose role wants a tag.
	AutoMode bool
	// SizeGiB above the snapshot's own grows the volume; 0 keeps the size.
	SizeGiB int32
	// KMSKeyID encrypts the volume with that key; "" keeps the snapshot's. The
	// location's ebsKmsKeyId wins over both.
	KMSKeyID string
	// Tags of the restore itself; the snapshot's own are carried over below them.
	Tags map[string]string
}

// Outcome is what became of something that was to be deleted.
type Outcome string

// What Deletion.Outcome can be.
const (
	// Deleted: it was there and is gone now.
	Deleted Outcome = "deleted"
	// Gone: it was not there any more.
	Gone Outcome = "gone"
	// Retained: it exists still and is not ours to remove, see Deletion.Reason.
	Retained Outcome = "retained"
)

// Deletion is the result of a delete.
type Deletion struct {
	Outcome Outcome `json:"outcome"`
	// Reason says why it is retained, and until when if EC2 tells.
	Reason string `json:"reason,omitempty"`
}
