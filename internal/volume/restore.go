package volume

import (
	"fmt"
	"sync"
	"time"
)

// Restore is one PersistentVolume of a backup and its claim, of which one may be missing,
// and what a restore does about them. Staging holds a list of them.
type Restore struct {
	PV        string `json:"pv,omitempty"`
	Namespace string `json:"namespace,omitempty"` // of the claim, in the backup
	Claim     string `json:"claim,omitempty"`
	Target    string `json:"target,omitempty"` // the claim's namespace in the cluster

	Disposition Disposition `json:"way"`
	// Selected says that the restore's filters select the PV or the claim. Only then
	// anything is done about the volume.
	Selected bool `json:"selected,omitempty"`
	// Bind is the PV that the claim is bound to; empty leaves it to the storage class.
	Bind string `json:"bind,omitempty"`

	Class    string            `json:"class,omitempty"`    // storage class of the claim, mapped
	Capacity int64             `json:"capacity,omitempty"` // bytes, of the PV or asked for
	Reclaim  string            `json:"reclaim,omitempty"`  // as it was in the backup
	Labels   map[string]string `json:"labels,omitempty"`   // of the PV in the backup
	Patch    bool              `json:"patch,omitempty"`    // a provisioned volume lacks something of the old one

	// Data comes back in one of two ways, whatever the technology: a driver makes a disk,
	// at which the restored PV points, or a storage class fills the claim's new volume
	// from a VolumeSnapshot.
	Disk     *DiskPlan     `json:"disk,omitempty"`
	Snapshot *SnapshotPlan `json:"snapshot,omitempty"`
}

// DiskPlan is a disk to make of a snapshot.
type DiskPlan struct {
	Location   string       `json:"location"` // VolumeSnapshotLocation
	Snapshot   DiskSnapshot `json:"snapshot"`
	Type       string       `json:"type,omitempty"`
	IOPS       int32        `json:"iops,omitempty"`
	Throughput int32        `json:"throughput,omitempty"` // MiB/s
	// InitializationRate is how fast it is loaded from its snapshot, in MiB/s; 0 leaves it to the
	// location.
	InitializationRate int32 `json:"initializationRate,omitempty"`
	// MultiAttach says that several nodes could attach the volume at once.
	MultiAttach bool   `json:"multiAttach,omitempty"`
	Zone        string `json:"zone"`
	// Name is the name of the PV in the cluster: its own, or another one where that
	// is taken.
	Name string `json:"name"`
	// Driver is the CSI driver of EBS that is to have the disk; empty is the driver that the
	// PersistentVolume names.
	Driver string `json:"driver,omitempty"`
}

// DiskSnapshot is the snapshot that a disk is made of, as its provider described it when
// the restore was planned.
type DiskSnapshot struct {
	ID           string            `json:"id"`
	VolumeID     string            `json:"volumeID,omitempty"` // that it was taken of
	State        string            `json:"state,omitempty"`
	StateMessage string            `json:"stateMessage,omitempty"`
	Zone         string            `json:"zone,omitempty"`
	Progress     int               `json:"progress,omitempty"` // in per cent
	Started      time.Time         `json:"started,omitzero"`
	SizeGiB      int32             `json:"sizeGiB,omitempty"`
	Encrypted    bool              `json:"encrypted,omitempty"`
	KMSKeyID     string            `json:"kmsKeyID,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
	Archived     bool              `json:"archived,omitempty"`
}

// SnapshotPlan is the static VolumeSnapshot that fills a claim's new volume.
type SnapshotPlan struct {
	VolumeSnapshot string `json:"volumeSnapshot"` // in the backup
	Name           string `json:"name"`           // of snapshot and content in the cluster
	Handle         string `json:"handle"`
	Driver         string `json:"driver"`
	Class          string `json:"class,omitempty"` // VolumeSnapshotClass of the driver, if there is one
	Size           int64  `json:"size,omitempty"`  // bytes to restore
	// SourceMode is the volume mode of the claim it was taken of: the cluster refuses
	// to turn one into the other.
	SourceMode string `json:"sourceMode,omitempty"`
	// Known says that the provider has the snapshot: its driver need not be asked.
	Known bool `json:"known,omitempty"`
	// Annotations name the secrets that some drivers need to find a snapshot.
	Annotations map[string]string `json:"annotations,omitempty"`
}

// HasData says that the volume comes back with what the backup holds of it.
func (v *Restore) HasData() bool { return v.Selected && v.Disposition.Method() != "" }

// NeedsDisk says that a disk is made for it, before its objects are restored.
func (v *Restore) NeedsDisk() bool { return v.HasData() && v.Disk != nil }

// IsFilled says that a storage class provisions the claim's volume with the data.
func (v *Restore) IsFilled() bool { return v.HasData() && v.Disk == nil }

// Provisioned says that a storage class makes the claim's volume.
func (v *Restore) Provisioned() bool {
	return v.Selected && v.Claim != "" && (v.IsFilled() || v.Disposition == Dynamic)
}

// Awaited says that the restore looks whether the claim, once made, is bound: where
// data comes back with it, or where its new volume lacks something of the old one.
func (v *Restore) Awaited() bool {
	return v.Claim != "" && v.PV != "" && (v.HasData() || v.Provisioned() && v.Patch)
}

// ClaimKey is "namespace/name" of the claim in the backup.
func (v *Restore) ClaimKey() string { return v.Namespace + "/" + v.Claim }

// Origin is what a dry run says of where the data would come from, "" of a volume that
// would come back without data.
func (v *Restore) Origin() string {
	switch {
	case v.NeedsDisk():
		return fmt.Sprintf("a new %s volume of %s in %s, of snapshot %s", v.Disk.Type, SizeText(v.Capacity), v.Disk.Zone, v.Disk.Snapshot.ID)
	case v.HasData() && v.Snapshot != nil:
		return fmt.Sprintf("a new volume of class %s and at least %s, of snapshot %s", v.Class, SizeText(max(v.Capacity, v.Snapshot.Size)), v.Snapshot.Handle)
	}
	return ""
}

// SizeText is a number of bytes for people.
func SizeText(bytes int64) string {
	if bytes%(1<<30) == 0 {
		return fmt.Sprintf("%d GiB", bytes>>30)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}

// Disk is a disk that a driver made for a restore, or why it did not. Staging holds them
// by PersistentVolume.
type Disk struct {
	ID     string `json:"id,omitempty"`
	Zone   string `json:"zone,omitempty"`
	Ready  bool   `json:"ready,omitempty"`
	Failed string `json:"failed,omitempty"`
	// Tries is how often the provider has failed to make it so far.
	Tries int `json:"tries,omitempty"`
	// Asked is when the provider agreed to make it, Seen that it was shown since, Missing
	// since when it is not.
	Asked   time.Time `json:"asked,omitzero"`
	Seen    bool      `json:"seen,omitempty"`
	Missing time.Time `json:"missing,omitzero"`
}

// IsSettled says that there is a disk, or that there will be none: it need not be asked
// for again.
func (d Disk) IsSettled() bool { return d.ID != "" || d.Failed != "" }

// IsPending says that the provider has agreed to make it and has not said that it is
// ready.
func (d Disk) IsPending() bool { return d.ID != "" && !d.Ready && d.Failed == "" }

// Ledger is the disks that were made for a restore so far. Several goroutines may use it.
type Ledger struct {
	onAttempt func()

	mu    sync.Mutex
	disks map[string]Disk
}

// NewLedger goes on with the disks that are recorded already, by PersistentVolume.
// onAttempt is called after each attempt to have a disk made.
func NewLedger(disks map[string]Disk, onAttempt func()) *Ledger {
	return &Ledger{onAttempt: onAttempt, disks: disks}
}

// Disk is what became of a volume's disk so far.
func (l *Ledger) Disk(pv string) Disk {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.disks[pv]
}

// Record notes what became of a volume's disk.
func (l *Ledger) Record(pv string, d Disk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.disks[pv].IsSettled() {
		l.onAttempt()
	}
	l.disks[pv] = d
}

// Disks are all that are recorded, once nobody records any more.
func (l *Ledger) Disks() map[string]Disk { return l.disks }
