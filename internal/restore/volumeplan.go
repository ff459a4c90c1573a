package restore

import (
	"iter"

	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Volumes is what a restore does about volumes. It is made before anything is
// written, and everything it rests on has been looked at by then.
type Volumes struct {
	Volumes []volume.Restore `json:"volumes,omitempty"`
	// Classes maps storage classes of the backup to those to use in their place.
	Classes map[string]string `json:"classes,omitempty"`
	// Taken are the VolumeSnapshots, as "namespace/name" in the backup, that the
	// backup took of claims.
	Taken []string `json:"taken,omitempty"`
	// Unused are the claims, as "namespace/name" in the backup, of ephemeral volumes of pods
	// that the rules of kinds skip. They are not selected.
	Unused []string `json:"unused,omitempty"`
}

// volumeIndex finds volumes of a plan by what objects are named.
type volumeIndex struct {
	Pvs, Claims map[string]*volume.Restore // by name; by "namespace/name" in the backup
	Taken       map[string]bool
}

// Index indexes a plan; that of a nil plan is empty.
func (p *Volumes) Index() *volumeIndex {
	x := &volumeIndex{Pvs: map[string]*volume.Restore{}, Claims: map[string]*volume.Restore{}, Taken: map[string]bool{}}
	if p == nil {
		return x
	}
	for i := range p.Volumes {
		v := &p.Volumes[i]
		if v.PV != "" {
			x.Pvs[v.PV] = v
		}
		if v.Claim != "" {
			x.Claims[v.ClaimKey()] = v
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
	return v != nil && v.Selected && v.Bind != "" && v.Disposition != volume.Leave
}

// claim answers the rules' question where a claim's data comes from.
func (x *volumeIndex) claim(namespace, name string) (resource.ClaimData, bool) {
	v := x.Claims[resource.ObjectName(namespace, name)]
	if v == nil || !v.Selected {
		return resource.ClaimData{}, false
	}
	data := resource.ClaimData{Volume: v.Bind}
	if v.IsFilled() {
		data.Snapshot, data.Size = v.Snapshot.Name, v.Snapshot.Size
	}
	return data, true
}

// Count is how many volumes answer yes.
func (p *Volumes) Count(is func(*volume.Restore) bool) int {
	n := 0
	for v := range p.All() {
		if is(v) {
			n++
		}
	}
	return n
}

// All are the volumes, none where there is no plan of them.
func (p *Volumes) All() iter.Seq[*volume.Restore] {
	return func(yield func(*volume.Restore) bool) {
		if p == nil {
			return
		}
		for i := range p.Volumes {
			if !yield(&p.Volumes[i]) {
				return
			}
		}
	}
}

// ClaimEnd is what became of an awaited claim.
type ClaimEnd struct {
	PV      string          `json:"pv,omitempty"` // that it is bound to
	Reasons []report.Reason `json:"reasons,omitempty"`
}

// EndOf is how a claim ends that is not waited for any longer.
func EndOf(v *volume.Restore, why report.Reason) ClaimEnd {
	return ClaimEnd{Reasons: []report.Reason{why.At(resource.PersistentVolumeClaims, v.Target, v.Claim)}}
}

// WithData are the volumes whose data a method brings back.
func (p *Volumes) WithData(m volume.Method) []*volume.Restore {
	var out []*volume.Restore
	for v := range p.All() {
		if v.HasData() && v.Disposition.Method() == m {
			out = append(out, v)
		}
	}
	return out
}
