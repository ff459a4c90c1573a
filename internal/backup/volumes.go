package backup

import (
	"context"
	"fmt"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// ControllerUID is the uid of the controller that owns a pod, "" for none.
func ControllerUID(pod *corev1.Pod) string {
	if owner := metav1.GetControllerOf(pod); owner != nil {
		return string(owner.UID)
	}
	return ""
}

// FailureReason is the reason why a volume's data is not in the backup.
func (p *VolumePlan) FailureReason(i int, why string) report.Reason {
	v := &p.Volumes[i]
	r := report.New(report.SnapshotFailed, fmt.Sprintf("volume %s: %s", v.PV, why))
	if v.Claim == "" {
		return r.At(resource.PersistentVolumes, "", v.PV)
	}
	return r.At(resource.PersistentVolumeClaims, v.Namespace, v.Claim)
}

// VolumePlan is what a backup does about volumes and hooks, decided before anything
// is written. The commands of hooks, which may hold secrets, lie here and in no
// payload.
type VolumePlan struct {
	Volumes  []volume.Volume `json:"volumes,omitempty"`
	Units    []Unit          `json:"units,omitempty"`
	Location string          `json:"location,omitempty"` // VolumeSnapshotLocation of native snapshots
}

// Unit is what one activity snapshots.
type Unit struct {
	// Groups are indexes into volumePlan.Volumes. Volumes of a group are of one
	// moment where the provider can do that.
	Groups [][]int `json:"groups,omitempty"`
	// Pods are quiesced while the snapshots of the unit are taken.
	Pods []PodHooks `json:"pods,omitempty"`
}

// PodHooks is a pod that has hooks.
type PodHooks struct {
	Namespace string      `json:"namespace"`
	Name      string      `json:"name"`
	Owner     string      `json:"owner,omitempty"`  // uid of its controller
	Claims    []string    `json:"claims,omitempty"` // of the unit, that it mounts
	Pre       []hook.Hook `json:"pre,omitempty"`
	Post      []hook.Hook `json:"post,omitempty"`
}

// Key is "namespace/name" of the pod.
func (p *PodHooks) Key() string { return resource.ObjectName(p.Namespace, p.Name) }

// Volumes are the indexes of all volumes of the unit.
func (u *Unit) Volumes() []int {
	var all []int
	for _, g := range u.Groups {
		all = append(all, g...)
	}
	return all
}

// Count is how many volumes take a path.
func (p *VolumePlan) Count(path volume.Path) int {
	n := 0
	for i := range p.Volumes {
		if p.Volumes[i].Path == path {
			n++
		}
	}
	return n
}

func (p *VolumePlan) snapshotCount() int { return len(p.Volumes) - p.Count(volume.Skip) }

// planVolumes decides which path each volume takes and which pods are quiesced for it.
// Bad input (an unknown location, an ambiguous class) fails here, before anything is
// written.
func (s *Service) planVolumes(ctx context.Context, doc *Plan) error {
	location, err := s.snapshotLocation(&doc.Backup.Spec, doc.policies)
	if err != nil {
		return err
	}
	l := newVolumeLister(s, doc)
	if err := l.listVolumes(ctx); err != nil {
		return err
	}
	in := l.planInputs()
	in.Policies, in.Native = doc.policies, location != ""
	made, err := volume.Make(in)
	if err != nil {
		return err
	}
	doc.Volumes = VolumePlan{Volumes: made.Volumes, Units: unitsOf(made, l.hooked)}
	if volume.UsesLocation(made.Volumes) {
		doc.Volumes.Location = location
	}
	doc.Reasons = append(append(doc.Reasons, l.reasons...), made.Problems...)
	return nil
}

// snapshotLocation is the one of native snapshots, "" for none. As with Velero, it need
// not be told apart where no snapshots are wanted: neither by the spec nor by a policy.
func (s *Service) snapshotLocation(spec *velerov1.BackupSpec, policies *volume.Policies) (string, error) {
	off := spec.SnapshotVolumes != nil && !*spec.SnapshotVolumes
	if off && len(spec.VolumeSnapshotLocations) == 0 && !policies.AskForSnapshots() {
		return "", nil
	}
	return s.Snapshots.Choose(spec.VolumeSnapshotLocations)
}

// readPolicies reads the ConfigMap that spec.resourcePolicy names; nil if it names none.
func (s *Service) readPolicies(ctx context.Context, spec *velerov1.BackupSpec) (*volume.Policies, error) {
	ref := spec.ResourcePolicy
	if ref == nil {
		return nil, nil
	}
	cm, err := kube.Read[corev1.ConfigMap](ctx, s.Kube, kube.ConfigMaps(), s.Config.Namespace, ref.Name)
	if apierrors.IsNotFound(err) {
		return nil, failure.Invalid("spec.resourcePolicy.name: there is no ConfigMap %s in namespace %s; create it there or correct the name", ref.Name, s.Config.Namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("read resource policies: %w", err)
	}
	return volume.PoliciesOf(&cm)
}
