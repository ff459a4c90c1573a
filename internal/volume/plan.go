package volume

import (
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Method is how the data of a volume is kept: the name of a technology. The values are persisted.
type Method string

// The methods there are. File-level backup is not one of them yet.
const (
	MethodNative Method = "native" // an EBS snapshot by the EC2 API
	MethodCSI    Method = "csi"    // a VolumeSnapshot
	MethodNone   Method = "skip"   // not backed up, for the volume's SkipReason
)

// Volume is a PersistentVolume of a backup, or a claim that has none, and what
// becomes of its data.
type Volume struct {
	PV        string `json:"pv,omitempty"`        // empty: the claim has no volume
	Namespace string `json:"namespace,omitempty"` // of the claim; empty: no claim
	Claim     string `json:"claim,omitempty"`
	ClaimUID  string `json:"claimUID,omitempty"`

	Method Method `json:"path"`
	// SkipReason is why Method is MethodNone: a sentence without a full stop.
	SkipReason string `json:"skipReason,omitempty"`

	VolumeID     string `json:"volumeID,omitempty"` // vol-…, of EBS volumes
	Zone         string `json:"zone,omitempty"`     // where the PV says the volume is
	Driver       string `json:"driver,omitempty"`   // of CSI volumes
	Class        string `json:"class,omitempty"`    // VolumeSnapshotClass, of the CSI method
	Snapshot     string `json:"snapshot,omitempty"` // VolumeSnapshot, of the CSI method
	StorageClass string `json:"storageClass,omitempty"`
	// Group is "<namespace>/<value>" of the volume group label: volumes of one
	// group belong to one moment.
	Group string `json:"group,omitempty"`

	ReclaimPolicy string            `json:"reclaimPolicy,omitempty"`
	PVLabels      map[string]string `json:"pvLabels,omitempty"`
	Capacity      int64             `json:"capacity,omitempty"` // bytes
}

// Unit is a set of volumes that are snapshotted together: those that pods share,
// directly or through other pods, or that stand in one volume group. A unit without
// pods is loose: nothing that runs mounts its volumes, and it may be joined with
// others at will.
type Unit struct {
	// Volumes are indexes into Plan.Volumes, ascending. None of them is skipped.
	Volumes []int `json:"volumes"`
	// Pods are those that mount one of the volumes, by namespace and name.
	Pods []PodRef `json:"pods,omitempty"`
}

// PodRef is a pod and the claims of its unit that it mounts.
type PodRef struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Node      string   `json:"node,omitempty"`
	Claims    []string `json:"claims"`
}

// Plan says what becomes of every volume of a backup.
type Plan struct {
	// Volumes are sorted by claim, then by PV.
	Volumes []Volume `json:"volumes,omitempty"`
	// Units hold every volume that is not skipped exactly once.
	Units []Unit `json:"units,omitempty"`
	// Problems are what the owner of the backup should know: of volumes that are
	// not snapshotted against the owner's wish, and of fields without effect.
	Problems []report.Reason `json:"problems,omitempty"`
}

// Count is how many volumes are kept by the method.
func (p Plan) Count(method Method) int { return CountByMethod(p.Volumes, method) }

// CountByMethod is how many of the volumes are kept by the method.
func CountByMethod(all []Volume, method Method) int {
	n := 0
	for i := range all {
		if all[i].Method == method {
			n++
		}
	}
	return n
}

// UsesLocation says whether a volume's snapshot is in a VolumeSnapshotLocation, which the
// backup then has to name.
func UsesLocation(all []Volume) bool {
	return slices.ContainsFunc(all, func(v Volume) bool { return v.Method == MethodNative })
}
