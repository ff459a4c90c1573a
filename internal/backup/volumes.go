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

// FailureReason makes the reason for a volume whose data is not in the backup.
func (p *VolumePlan) FailureReason(i int, why string) report.Reason {
	return p.reasonAt(i, report.New(report.SnapshotFailed, fmt.Sprintf("volume %s: %s", p.Volumes[i].PV, why)))
}

// ApartReason makes the reason for a volume whose snapshot is good, but not of the same
// moment as those of its group.
func (p *VolumePlan) ApartReason(i int, why string) report.Reason {
	r := report.New(report.FieldIgnored, fmt.Sprintf("volume %s: its group was snapshotted one after the other, not at one moment: %s", p.Volumes[i].PV, why))
	r.Next = "freeze the group's pods by a hook if their volumes have to be of one moment"
	return p.reasonAt(i, r)
}

// reasonAt places a reason at the claim of a volume, or at the volume that has none.
func (p *VolumePlan) reasonAt(i int, r report.Reason) report.Reason {
	v := &p.Volumes[i]
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

// Unit is the volumes that one activity takes snapshots of, and the pods that it quiesces.
type Unit struct {
	// Groups are indexes into VolumePlan.Volumes. The snapshots of a group are of one moment
	// where the provider can do that.
	Groups [][]int `json:"groups,omitempty"`
	// Pods are quiesced while the snapshots of the unit are taken.
	Pods []PodHooks `json:"pods,omitempty"`
}

// PodHooks is a pod that has hooks.
type PodHooks struct {
	Namespace string      `json:"namespace"`
	Name      string      `json:"name"`
	Owner     string      `json:"owner,omitempty"`  // uid of its controller
	Claims    []string    `json:"claims,omitempty"` // claims of the unit that the pod mounts
	Pre       []hook.Hook `json:"pre,omitempty"`
	Post      []hook.Hook `json:"post,omitempty"`
	// Record names the value that the last of Pre prints, "" if it is not recorded.
	Record string `json:"record,omitempty"`
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

// Count says how many volumes are kept by a method.
func (p *VolumePlan) Count(method volume.Method) int {
	return volume.CountByMethod(p.Volumes, method)
}

func (p *VolumePlan) snapshotCount() int { return len(p.Volumes) - p.Count(volume.MethodNone) }

// planVolumes decides by which method each volume is kept and which pods are quiesced for it.
// Bad input (an unknown location, an ambiguous class) fails here, before anything is
// written.
func (s *Service) planVolumes(ctx context.Context, doc *Plan) error {
	location, err := s.snapshotLocation(&doc.Backup.Spec, doc.policies)
	if err != nil {
		return err
	}
	if location == "" && len(doc.Backup.Spec.VolumeSnapshotLocations) > 0 {
		doc.Reasons = append(doc.Reasons, report.New(report.FieldIgnored,
			"spec.volumeSnapshotLocations names a location, and the worker's configuration has none: volumes get no native snapshots"))
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
	doc.Volumes = VolumePlan{Volumes: made.Volumes, Units: cutUnits(s.Technologies, made, l.podsWithHooks)}
	if volume.UsesLocation(made.Volumes) {
		doc.Volumes.Location = location
	}
	doc.Reasons = append(append(doc.Reasons, l.reasons...), made.Problems...)
	return nil
}

// snapshotLocation chooses the VolumeSnapshotLocation of native snapshots, "" for none. As
// with Velero, the choice may be ambiguous where neither the spec nor a policy asks for
// snapshots.
func (s *Service) snapshotLocation(spec *velerov1.BackupSpec, policies *volume.Policies) (string, error) {
	off := spec.SnapshotVolumes != nil && !*spec.SnapshotVolumes
	if off && len(spec.VolumeSnapshotLocations) == 0 && !policies.AskForSnapshots() {
		return "", nil
	}
	if len(s.Snapshots.Config().VolumeSnapshotLocations) == 0 {
		return "", nil // Velero's server fills in its default location whether there is one or not
	}
	return s.Snapshots.Choose(spec.VolumeSnapshotLocations)
}

// CheckPolicies tells whether the resource policies that a spec names are there and can be read.
func (s *Service) CheckPolicies(ctx context.Context, spec *velerov1.BackupSpec) error {
	_, err := s.readPolicies(ctx, spec)
	return err
}

// readPolicies reads the ConfigMap that spec.resourcePolicy names. Without one the policies are
// nil.
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
