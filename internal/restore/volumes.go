package restore

import (
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Volumes is what a restore does about volumes. It is made before anything is
// written, and everything it rests on has been looked at by then.
type Volumes struct {
	Volumes []Volume `json:"volumes,omitempty"`
	// Classes maps storage classes of the backup to those to use in their place.
	Classes map[string]string `json:"classes,omitempty"`
	// Taken are the VolumeSnapshots, as "namespace/name" in the backup, that the
	// backup took of claims.
	Taken []string `json:"taken,omitempty"`
}

// Way is how a volume comes back. The values are persisted in staging only.
type Way string

// Ways of a volume.
const (
	WayNative  Way = "native"  // a disk is made of its EBS snapshot, the PV points at it
	WayCSI     Way = "csi"     // its claim is provisioned from its snapshot
	WayKeep    Way = "keep"    // the PV is restored as it was, pointing at the same disk
	WayDynamic Way = "dynamic" // its claim is provisioned empty
	WayLeft    Way = "left"    // claim or PV is in the cluster and is left alone
)

// Volume is one PersistentVolume of the backup and its claim; one of the two
// may be missing.
type Volume struct {
	PV        string `json:"pv,omitempty"`
	Namespace string `json:"namespace,omitempty"` // of the claim, in the backup
	Claim     string `json:"claim,omitempty"`
	Target    string `json:"target,omitempty"` // the claim's namespace in the cluster
	Way       Way    `json:"way"`
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

	Disk     *DiskPlan     `json:"disk,omitempty"`     // of WayNative
	Snapshot *SnapshotPlan `json:"snapshot,omitempty"` // of WayCSI
}

// DiskPlan is the EBS volume to make.
type DiskPlan struct {
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
	// Known says that EC2 has the snapshot: the driver need not be asked, see probe.
	Known bool `json:"known,omitempty"`
	// Annotations name the secrets that some drivers need to find a snapshot.
	Annotations map[string]string `json:"annotations,omitempty"`
}

// fate is what the rules of package resource do about the PV.
func (v *Volume) fate() resource.Fate {
	switch v.Way {
	case WayNative:
		return resource.FateNew
	case WayKeep:
		return resource.FateKeep
	case WayLeft:
		return resource.FateLeft
	}
	return resource.FateDynamic
}

// HasData says that the volume comes back with what the backup holds of it.
func (v *Volume) HasData() bool {
	return v.Selected && (v.Way == WayNative || v.Way == WayCSI)
}

// NeedsDisk says that an EBS volume is to be made for it.
func (v *Volume) NeedsDisk() bool { return v.Selected && v.Way == WayNative }

// Awaited says that the restore looks whether the claim, once made, is bound: where
// data comes back with it, or where its new volume lacks something of the old one.
func (v *Volume) Awaited() bool {
	return v.Claim != "" && v.PV != "" && (v.HasData() || v.Provisioned() && v.Patch)
}

// Provisioned says that a storage class makes the claim's volume.
func (v *Volume) Provisioned() bool {
	return v.Selected && v.Claim != "" && (v.Way == WayCSI || v.Way == WayDynamic)
}

// method is Velero's word for the way.
func (v *Volume) method() volume.Method {
	switch v.Way {
	case WayNative:
		return volume.MethodNative
	case WayCSI:
		return volume.MethodCSI
	}
	return ""
}

// volumeIndex finds volumes of a plan by what objects are named.
type volumeIndex struct {
	Pvs, Claims map[string]*Volume // by name; by "namespace/name" in the backup
	Taken       map[string]bool
}

// Index indexes a plan; that of a nil plan is empty.
func (p *Volumes) Index() *volumeIndex {
	x := &volumeIndex{Pvs: map[string]*Volume{}, Claims: map[string]*Volume{}, Taken: map[string]bool{}}
	if p == nil {
		return x
	}
	for i := range p.Volumes {
		v := &p.Volumes[i]
		if v.PV != "" {
			x.Pvs[v.PV] = v
		}
		if v.Claim != "" {
			x.Claims[resource.ObjectName(v.Namespace, v.Claim)] = v
		}
	}
	for _, name := range p.Taken {
		x.Taken[name] = true
	}
	return x
}

// Related says that an object is restored because of a claim, whatever the filters
// say of it.
func (x *volumeIndex) Related(gr, name string) bool {
	if gr != resource.PersistentVolumes {
		return false
	}
	v := x.Pvs[name]
	return v != nil && v.Selected && v.Bind != "" && (v.Way == WayNative || v.Way == WayKeep)
}

// claim answers the rules' question where a claim's data comes from.
func (x *volumeIndex) claim(namespace, name string) (resource.ClaimData, bool) {
	v := x.Claims[resource.ObjectName(namespace, name)]
	if v == nil || !v.Selected {
		return resource.ClaimData{}, false
	}
	data := resource.ClaimData{Volume: v.Bind}
	if v.Way == WayCSI {
		data.Snapshot, data.Size = v.Snapshot.Name, v.Snapshot.Size
	}
	return data, true
}

// Count is how many volumes answer yes.
func (p *Volumes) Count(is func(*Volume) bool) int {
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

// ClaimEnd is what became of an awaited claim.
type ClaimEnd struct {
	PV      string          `json:"pv,omitempty"` // that it is bound to
	Reasons []report.Reason `json:"reasons,omitempty"`
}

// End is how a claim ends that is not waited for any longer.
func (v *Volume) End(why report.Reason) ClaimEnd {
	return ClaimEnd{Reasons: []report.Reason{why.At(resource.PersistentVolumeClaims, v.Target, v.Claim)}}
}

// Made is what the disks of a plan became, by location: also of locations where none
// is known, for a call that was never answered may have made one.
func (p *Volumes) Made(disks map[string]Disk) map[string][]string {
	out := map[string][]string{}
	p.Count(func(v *Volume) bool {
		if v.NeedsDisk() {
			ids := out[v.Disk.Location]
			if id := disks[v.PV].ID; id != "" {
				ids = append(ids, id)
			}
			out[v.Disk.Location] = ids
		}
		return false
	})
	return out
}

// Filled are the volumes that are provisioned from snapshots, by the name of snapshot
// and content.
func (p *Volumes) Filled(is func(*Volume) bool) map[string]*Volume {
	out := map[string]*Volume{}
	p.Count(func(v *Volume) bool {
		if v.Selected && v.Way == WayCSI && v.Snapshot != nil && is(v) {
			out[v.Snapshot.Name] = v
		}
		return false
	})
	return out
}
