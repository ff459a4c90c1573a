package activities

import (
	"context"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// volumePlan is what a backup does about volumes and hooks, decided before anything
// is written. The commands of hooks, which may hold secrets, lie here and in no
// payload.
type volumePlan struct {
	Volumes  []volume.Volume `json:"volumes,omitempty"`
	Units    []unitPlan      `json:"units,omitempty"`
	Location string          `json:"location,omitempty"` // VolumeSnapshotLocation of native snapshots
}

// unitPlan is what one activity snapshots.
type unitPlan struct {
	// Groups are indexes into volumePlan.Volumes. Volumes of a group are of one
	// moment where the provider can do that.
	Groups [][]int `json:"groups,omitempty"`
	// Pods are frozen while the snapshots of the unit are taken.
	Pods []podHooks `json:"pods,omitempty"`
}

// podHooks is a pod that has hooks.
type podHooks struct {
	Namespace string      `json:"namespace"`
	Name      string      `json:"name"`
	Owner     string      `json:"owner,omitempty"`  // uid of its controller
	Claims    []string    `json:"claims,omitempty"` // of the unit, that it mounts
	Pre       []hook.Hook `json:"pre,omitempty"`
	Post      []hook.Hook `json:"post,omitempty"`
}

func (p *podHooks) key() string { return kube.ObjectName(p.Namespace, p.Name) }

// volumes are the indexes of all volumes of the unit.
func (u *unitPlan) volumes() []int {
	var all []int
	for _, g := range u.Groups {
		all = append(all, g...)
	}
	return all
}

func (p *volumePlan) count(path volume.Path) int {
	n := 0
	for i := range p.Volumes {
		if p.Volumes[i].Path == path {
			n++
		}
	}
	return n
}

func (p *volumePlan) snapshots() int { return p.count(volume.Native) + p.count(volume.CSI) }

// planVolumes decides which path each volume takes and which pods are frozen for it.
// Bad input (an unknown location, an ambiguous class) fails here, before anything is
// written.
func (b *Backup) planVolumes(ctx context.Context, doc *backupPlan) error {
	location, err := b.snapshotLocation(&doc.Backup.Spec, doc.policies)
	if err != nil {
		return err
	}
	l := newVolumeLister(b, doc)
	if err := l.list(ctx); err != nil {
		return err
	}
	in := l.inputs()
	in.Policies, in.Native = doc.policies, location != ""
	made, err := volume.Make(in)
	if err != nil {
		return err
	}
	doc.Volumes = volumePlan{Volumes: made.Volumes, Units: unitsOf(made, l.hooked)}
	if doc.Volumes.count(volume.Native) > 0 {
		doc.Volumes.Location = location
	}
	doc.Reasons = append(append(doc.Reasons, l.reasons...), made.Problems...)
	return nil
}

// snapshotLocation is the one of native snapshots, "" for none. As with Velero, it need
// not be told apart where no snapshots are wanted: neither by the spec nor by a policy.
func (b *Backup) snapshotLocation(spec *velerov1.BackupSpec, policies *volume.Policies) (string, error) {
	off := spec.SnapshotVolumes != nil && !*spec.SnapshotVolumes
	if off && len(spec.VolumeSnapshotLocations) == 0 && !policies.AskForSnapshots() {
		return "", nil
	}
	return b.Snapshots.Choose(spec.VolumeSnapshotLocations)
}
