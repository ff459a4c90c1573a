package activities

import (
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// restoreVolumes is what a restore does about volumes. It is made before anything is
// written, and everything it rests on has been looked at by then.
type restoreVolumes struct {
	Volumes []restoreVolume `json:"volumes,omitempty"`
	// Classes maps storage classes of the backup to those to use in their place.
	Classes map[string]string `json:"classes,omitempty"`
	// Taken are the VolumeSnapshots, as "namespace/name" in the backup, that the
	// backup took of claims.
	Taken []string `json:"taken,omitempty"`
}

// way is how a volume comes back. The values are persisted in staging only.
type way string

const (
	wayNative  way = "native"  // a disk is made of its EBS snapshot, the PV points at it
	wayCSI     way = "csi"     // its claim is provisioned from its snapshot
	wayKeep    way = "keep"    // the PV is restored as it was, pointing at the same disk
	wayDynamic way = "dynamic" // its claim is provisioned empty
	wayLeft    way = "left"    // claim or PV is in the cluster and is left alone
)

// restoreVolume is one PersistentVolume of the backup and its claim; one of the two
// may be missing.
type restoreVolume struct {
	PV        string `json:"pv,omitempty"`
	Namespace string `json:"namespace,omitempty"` // of the claim, in the backup
	Claim     string `json:"claim,omitempty"`
	Target    string `json:"target,omitempty"` // the claim's namespace in the cluster
	Way       way    `json:"way"`
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

	Disk     *diskPlan     `json:"disk,omitempty"`     // of wayNative
	Snapshot *snapshotPlan `json:"snapshot,omitempty"` // of wayCSI
}

// diskPlan is the EBS volume to make.
type diskPlan struct {
	Location   string       `json:"location"` // VolumeSnapshotLocation
	Snapshot   ebs.Snapshot `json:"snapshot"`
	Type       string       `json:"type,omitempty"`
	IOPS       int32        `json:"iops,omitempty"`
	Throughput int32        `json:"throughput,omitempty"` // MiB/s
	Zone       string       `json:"zone"`
	// Name is the name of the PV in the cluster: its own, or another one where that
	// is taken.
	Name string `json:"name"`
}

// snapshotPlan is the static VolumeSnapshot that fills a claim's new volume.
type snapshotPlan struct {
	VolumeSnapshot string `json:"volumeSnapshot"` // in the backup
	Name           string `json:"name"`           // of snapshot and content in the cluster
	Handle         string `json:"handle"`
	Driver         string `json:"driver"`
	Class          string `json:"class,omitempty"` // VolumeSnapshotClass of the driver, if there is one
	Size           int64  `json:"size,omitempty"`  // bytes to restore
	// SourceMode is the volume mode of the claim it was taken of: the cluster refuses
	// to turn one into the other.
	SourceMode string `json:"sourceMode,omitempty"`
	// Known says that EC2 has the snapshot: the driver need not be asked, see probe.
	Known bool `json:"known,omitempty"`
	// Annotations name the secrets that some drivers need to find a snapshot.
	Annotations map[string]string `json:"annotations,omitempty"`
}

// fate is what the rules of package resource do about the PV.
func (v *restoreVolume) fate() resource.Fate {
	switch v.Way {
	case wayNative:
		return resource.FateNew
	case wayKeep:
		return resource.FateKeep
	case wayLeft:
		return resource.FateLeft
	}
	return resource.FateDynamic
}

// hasData says that the volume comes back with what the backup holds of it.
func (v *restoreVolume) hasData() bool {
	return v.Selected && (v.Way == wayNative || v.Way == wayCSI)
}

// needsDisk says that an EBS volume is to be made for it.
func (v *restoreVolume) needsDisk() bool { return v.Selected && v.Way == wayNative }

// awaited says that the restore looks whether the claim, once made, is bound: where
// data comes back with it, or where its new volume lacks something of the old one.
func (v *restoreVolume) awaited() bool {
	return v.Claim != "" && v.PV != "" && (v.hasData() || v.provisioned() && v.Patch)
}

// provisioned says that a storage class makes the claim's volume.
func (v *restoreVolume) provisioned() bool {
	return v.Selected && v.Claim != "" && (v.Way == wayCSI || v.Way == wayDynamic)
}

// method is Velero's word for the way.
func (v *restoreVolume) method() volume.Method {
	switch v.Way {
	case wayNative:
		return volume.MethodNative
	case wayCSI:
		return volume.MethodCSI
	}
	return ""
}

// volumeIndex finds volumes of a plan by what objects are named.
type volumeIndex struct {
	pvs, claims map[string]*restoreVolume // by name; by "namespace/name" in the backup
	taken       map[string]bool
}

func (p *restoreVolumes) index() *volumeIndex {
	x := &volumeIndex{pvs: map[string]*restoreVolume{}, claims: map[string]*restoreVolume{}, taken: map[string]bool{}}
	if p == nil {
		return x
	}
	for i := range p.Volumes {
		v := &p.Volumes[i]
		if v.PV != "" {
			x.pvs[v.PV] = v
		}
		if v.Claim != "" {
			x.claims[kube.ObjectName(v.Namespace, v.Claim)] = v
		}
	}
	for _, name := range p.Taken {
		x.taken[name] = true
	}
	return x
}

// related says that an object is restored because of a claim, whatever the filters
// say of it.
func (x *volumeIndex) related(gr, name string) bool {
	if gr != resource.PersistentVolumes {
		return false
	}
	v := x.pvs[name]
	return v != nil && v.Selected && v.Bind != "" && (v.Way == wayNative || v.Way == wayKeep)
}

// claim answers the rules' question where a claim's data comes from.
func (x *volumeIndex) claim(namespace, name string) (resource.ClaimData, bool) {
	v := x.claims[kube.ObjectName(namespace, name)]
	if v == nil || !v.Selected {
		return resource.ClaimData{}, false
	}
	data := resource.ClaimData{Volume: v.Bind}
	if v.Way == wayCSI {
		data.Snapshot, data.Size = v.Snapshot.Name, v.Snapshot.Size
	}
	return data, true
}

// count is how many volumes answer yes.
func (p *restoreVolumes) count(is func(*restoreVolume) bool) int {
	n := 0
	if p == nil {
		return n
	}
	for i := range p.Volumes {
		if is(&p.Volumes[i]) {
			n++
		}
	}
	return n
}
