package volume

import (
	"cmp"
	"errors"
	"slices"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// planner is what one Make works with.
type planner struct {
	in   Inputs
	pvs  map[string]*corev1.PersistentVolume
	pods map[string][]*corev1.Pod // of the backup and alive, by "namespace/claim"

	plan Plan
	spec filter.FieldErrors // what is wrong with the backup as a whole
}

// Make plans the volumes of a backup. The error is a filter.FieldErrors and names
// what in the backup's spec or annotations has to change (an ambiguous class, a class
// that does not exist); nothing should be written then. The plan is complete even
// so: the volumes concerned are skipped and each is an error in Problems.
func Make(in Inputs) (Plan, error) {
	if in.BackupUID == "" {
		return Plan{}, errors.New("plan volumes: the backup has no uid")
	}
	p := newPlanner(in)
	p.planClaims()
	p.planUnclaimed()
	slices.SortFunc(p.plan.Volumes, compareVolumes)
	p.podVolumes()
	p.addNotes()
	p.plan.Units = p.makeUnits()
	report.Sort(p.plan.Problems)
	if len(p.spec) > 0 {
		return p.plan, p.spec
	}
	return p.plan, nil
}

func newPlanner(in Inputs) *planner {
	p := &planner{in: in, pvs: map[string]*corev1.PersistentVolume{}, pods: map[string][]*corev1.Pod{}}
	for i := range in.Volumes {
		p.pvs[in.Volumes[i].Name] = &in.Volumes[i]
	}
	for i := range in.Pods {
		pod := &in.Pods[i]
		if HasEnded(pod) || !p.isSelected("pods", pod.Namespace, pod.Name, pod.Labels) {
			continue
		}
		for _, claim := range ClaimsOf(pod) {
			key := pod.Namespace + "/" + claim
			p.pods[key] = append(p.pods[key], pod)
		}
	}
	return p
}

func (p *planner) isSelected(resource, namespace, name string, labels map[string]string) bool {
	return p.in.Selected == nil || p.in.Selected(resource, namespace, name, labels)
}

func (p *planner) addProblem(r report.Reason) { p.plan.Problems = append(p.plan.Problems, r) }

func compareVolumes(a, b Volume) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Claim, b.Claim), cmp.Compare(a.PV, b.PV))
}

const (
	claimResource = "persistentvolumeclaims"
	pvResource    = "persistentvolumes"
)

// planClaims plans every claim of the backup, with the volume it is bound to.
func (p *planner) planClaims() {
	for i := range p.in.Claims {
		c := &p.in.Claims[i]
		if !p.isSelected(claimResource, c.Namespace, c.Name, c.Labels) {
			continue
		}
		pv := p.pvs[c.Spec.VolumeName]
		foreign := pv != nil && !belongTogether(pv, c)
		if foreign {
			pv = nil
		}
		v := p.describeVolume(pv, c)
		p.decideMethod(&v, pv, c)
		if foreign {
			v.PV = "" // it is the other claim's
		}
		p.plan.Volumes = append(p.plan.Volumes, v)
		if pv != nil {
			delete(p.pvs, pv.Name)
		}
	}
}

// planUnclaimed plans the volumes of the backup whose claim is not in it.
func (p *planner) planUnclaimed() {
	for i := range p.in.Volumes {
		pv := p.pvs[p.in.Volumes[i].Name]
		if pv == nil || !p.isSelected(pvResource, "", pv.Name, pv.Labels) {
			continue
		}
		v := p.describeVolume(pv, nil)
		p.decideMethod(&v, pv, nil)
		if ref := pv.Spec.ClaimRef; ref != nil && pv.Status.Phase == corev1.VolumeBound {
			v.Namespace, v.Claim, v.ClaimUID = ref.Namespace, ref.Name, string(ref.UID)
		}
		p.plan.Volumes = append(p.plan.Volumes, v)
	}
}

// belongTogether says whether the volume is the claim's: both sides have to say so.
func belongTogether(pv *corev1.PersistentVolume, c *corev1.PersistentVolumeClaim) bool {
	ref := pv.Spec.ClaimRef
	return ref != nil && ref.Namespace == c.Namespace && ref.Name == c.Name &&
		(ref.UID == "" || c.UID == "" || ref.UID == c.UID)
}

// describeVolume is what is known of a volume before its method is.
func (p *planner) describeVolume(pv *corev1.PersistentVolume, c *corev1.PersistentVolumeClaim) Volume {
	v := Volume{Method: MethodNone}
	if c != nil {
		v.PV = c.Spec.VolumeName
		v.Namespace, v.Claim, v.ClaimUID = c.Namespace, c.Name, string(c.UID)
		v.Group = p.groupOf(c)
		if c.Spec.StorageClassName != nil {
			v.StorageClass = *c.Spec.StorageClassName
		}
	}
	if pv == nil {
		return v
	}
	v.PV, v.VolumeID, v.Zone = pv.Name, EBSID(pv), Zone(pv)
	v.StorageClass = cmp.Or(pv.Spec.StorageClassName, v.StorageClass)
	v.ReclaimPolicy, v.PVLabels = string(pv.Spec.PersistentVolumeReclaimPolicy), pv.Labels
	v.Capacity = pv.Spec.Capacity.Storage().Value()
	if pv.Spec.CSI != nil {
		v.Driver = pv.Spec.CSI.Driver
	}
	return v
}

// groupOf is the volume group of a claim, "" if it is in none.
func (p *planner) groupOf(c *corev1.PersistentVolumeClaim) string {
	key := cmp.Or(p.in.Spec.VolumeGroupSnapshotLabelKey, velerov1.DefaultVGSLabelKey)
	if value := c.Labels[key]; value != "" {
		return c.Namespace + "/" + value
	}
	return ""
}
