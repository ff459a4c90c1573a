package volumes

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const classResource = "storageclasses.storage.k8s.io"

// mapStorageClasses reads which storage classes take the place of others: from Velero's
// ConfigMap (docs/VELERO.md 7.6) and from the restore's input, which wins.
func (p *planner) mapStorageClasses(ctx context.Context) error {
	var found []corev1.ConfigMap
	err := kube.List(ctx, p.r.Kube, kube.ConfigMaps(), p.r.Config.Namespace, restore.LabelPlugin, func(c corev1.ConfigMap) error {
		switch restore.RestoreItemAction {
		case c.Labels[restore.LabelClassMapping]:
			found = append(found, c)
		case c.Labels[restore.LabelNodeMapping]:
			p.Reasons = append(p.Reasons, report.New(report.FieldIgnored,
				"the mapping of nodes has no effect: the scheduler chooses a node for each restored claim").At("configmaps", c.Namespace, c.Name))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the storage class mapping: %w", err)
	}
	if text := restore.Ambiguous("storage class", restore.LabelClassMapping, found); text != "" {
		p.Refuse(contract.ErrTypeInvalid, "%s", text)
	}
	if err := p.s.Changes.Apply(&p.changes); err != nil {
		return err
	}
	p.plan.Classes = map[string]string{}
	for _, c := range found {
		for old, name := range c.Data {
			p.plan.Classes[old] = strings.TrimSpace(name)
		}
	}
	maps.Copy(p.plan.Classes, p.s.Restore.StorageClasses)
	return nil
}

// mappedClass is the class that takes the place of one of the backup.
func (p *planner) mappedClass(name string) string { return cmp.Or(p.plan.Classes[name], name) }

// classOf is the storage class that a claim names.
func classOf(claim *corev1.PersistentVolumeClaim) string {
	if class := claim.Annotations[corev1.BetaStorageClassAnnotation]; class != "" {
		return class
	}
	if claim.Spec.StorageClassName == nil {
		return ""
	}
	return *claim.Spec.StorageClassName
}

// checkStorageClasses checks that the storage classes of restored claims will be there, and that
// one that is to fill a claim from a snapshot is of the snapshot's driver.
func (p *planner) checkStorageClasses(ctx context.Context) error {
	known, err := kube.ListMap[storagev1.StorageClass](ctx, p.r.Kube, kube.StorageClasses(), "", "")
	if err != nil {
		return fmt.Errorf("list storage classes: %w", err)
	}
	err = repository.EachObject(ctx, p.s.Arc, classResource, func(c storagev1.StorageClass) {
		if _, ok := known[c.Name]; !ok && p.s.Selects(archive.Key{Resource: classResource, Name: c.Name}, c.Labels) {
			known[c.Name] = c
		}
	})
	if err != nil {
		return err
	}
	for _, old := range slices.Sorted(maps.Keys(p.s.Restore.StorageClasses)) {
		if name := p.s.Restore.StorageClasses[old]; !has(known, name) {
			p.Refuse(contract.ErrTypeInvalid, "storageClassMapping[%s]: there is no storage class %q in the cluster nor in what is restored; known are %s", old, name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	claims := p.facts.ClaimsByName()
	attributes, err := p.attributesClasses(ctx)
	if err != nil {
		return err
	}
	for i := range p.plan.Volumes {
		v := &p.plan.Volumes[i]
		p.checkAttributesClass(v, claims[v.ClaimKey()], attributes)
		v.Patch = len(portableLabels(v)) > 0 || v.Reclaim != "" && v.Reclaim != reclaimOf(known, v.Class)
		switch {
		case !v.Selected || v.Claim == "":
		case v.Class != "":
			p.checkClass(v, known)
		case v.Snapshot != nil:
			p.checkNoClass(v, known)
		}
	}
	return p.chooseDrivers(ctx, known)
}

const attributesResource = "volumeattributesclasses.storage.k8s.io"

// attributesClasses are the VolumeAttributesClasses that there will be; nil if none is asked
// for, or if the cluster does not know the type.
func (p *planner) attributesClasses(ctx context.Context) (map[string]storagev1.VolumeAttributesClass, error) {
	asked := slices.ContainsFunc(p.facts.Claims, func(c corev1.PersistentVolumeClaim) bool { return c.Spec.VolumeAttributesClassName != nil })
	if versions := p.cat.Versions(attributesResource); !asked || !slices.Contains(versions, "v1") {
		return nil, nil
	}
	known, err := kube.ListMap[storagev1.VolumeAttributesClass](ctx, p.r.Kube, kube.VolumeAttributesClasses(), "", "")
	if err != nil {
		return nil, fmt.Errorf("list volume attributes classes: %w", err)
	}
	err = repository.EachObject(ctx, p.s.Arc, attributesResource, func(c storagev1.VolumeAttributesClass) {
		if p.s.Selects(archive.Key{Resource: attributesResource, Name: c.Name}, c.Labels) {
			known[c.Name] = c
		}
	})
	return known, err
}

// checkAttributesClass remarks on a claim that waits for a VolumeAttributesClass.
func (p *planner) checkAttributesClass(v *volume.Restore, claim *corev1.PersistentVolumeClaim, known map[string]storagev1.VolumeAttributesClass) {
	if known == nil || !v.Provisioned() || claim == nil || claim.Spec.VolumeAttributesClassName == nil {
		return
	}
	if name := *claim.Spec.VolumeAttributesClassName; name != "" && !has(known, name) {
		p.Remark(v, report.New(report.ClassMissing, fmt.Sprintf("there is no volume attributes class %q in the cluster nor in what is restored: the claim stays pending", name)))
	}
}

// checkNoClass refuses a claim that names no class and whose data comes from a
// snapshot, unless the cluster's default class can fill it.
func (p *planner) checkNoClass(v *volume.Restore, known map[string]storagev1.StorageClass) {
	name := v.ClaimKey()
	class, ok := DefaultClass(known)
	switch claim := p.facts.ClaimsByName()[name]; {
	case claim.Spec.StorageClassName != nil:
		p.Refuse(contract.ErrTypeInvalid, `claim %s: spec.storageClassName is "": no class makes a volume for it, so that its snapshot %s cannot be restored; restore it without data (--restore-volumes=false)`, name, v.Snapshot.Handle)
	case !ok:
		p.Refuse(contract.ErrTypeInvalid, "claim %s: it names no storage class and the cluster has no default one to restore snapshot %s with; mark one by the annotation %s", name, v.Snapshot.Handle, annotationDefaultClass)
	case !canFill(v, class):
		p.Refuse(contract.ErrTypeInvalid, "claim %s: it names no storage class; the default one, %s, is of %s, its snapshot of %s, which only a class of that driver can restore; make such a class the default", name, class.Name, class.Provisioner, v.Snapshot.Driver)
	}
}

// annotationDefaultClass marks the class of claims that name none.
const annotationDefaultClass = "storageclass.kubernetes.io/is-default-class"

// DefaultClass is the class that claims without one get: of several the newest.
func DefaultClass(known map[string]storagev1.StorageClass) (class storagev1.StorageClass, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(known)) {
		c := known[name]
		if c.Annotations[annotationDefaultClass] == "true" && (!ok || class.CreationTimestamp.Before(&c.CreationTimestamp)) {
			class, ok = c, true
		}
	}
	return class, ok
}

// reclaimOf is the policy that a class gives its volumes.
func reclaimOf(known map[string]storagev1.StorageClass, name string) string {
	class := known[name]
	if name == "" {
		class, _ = DefaultClass(known)
	}
	if class.ReclaimPolicy == nil {
		return string(corev1.PersistentVolumeReclaimDelete)
	}
	return string(*class.ReclaimPolicy)
}

func (p *planner) checkClass(v *volume.Restore, known map[string]storagev1.StorageClass) {
	class, ok := known[v.Class]
	claim := v.ClaimKey()
	switch {
	case ok && v.Snapshot != nil && !canFill(v, class):
		p.Refuse(contract.ErrTypeInvalid, "claim %s: its storage class %s is of %s, its snapshot of %s, which only a class of that driver can restore; map the class to one (--storage-class-mappings %s:NEW)",
			claim, v.Class, class.Provisioner, v.Snapshot.Driver, v.Class)
	case ok || v.Disposition == volume.Leave || v.Disposition == volume.Keep:
	case v.HasData() || p.isMapped(v.Class):
		p.Refuse(contract.ErrTypeInvalid, "claim %s: there is no storage class %q in the cluster nor in what is restored; create it, or map it to another (--storage-class-mappings %s:NEW); known are %s",
			claim, v.Class, v.Class, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	case v.Bind == "":
		p.Remark(v, report.New(report.ClassMissing, fmt.Sprintf("there is no storage class %q in the cluster: the claim stays pending", v.Class)))
	}
}

// canFill says that a class can fill a claim from its snapshot, and has the class's driver do
// it. A snapshot of EBS is one of the account: either of EBS's drivers makes volumes of it.
func canFill(v *volume.Restore, class storagev1.StorageClass) bool {
	s := v.Snapshot
	if s.Driver != class.Provisioner && volume.IsEBSDriver(s.Driver) && volume.IsEBSDriver(class.Provisioner) {
		s.Driver, s.Class = class.Provisioner, "" // the class was of the other driver
	}
	return s.Driver == class.Provisioner
}

// chooseDrivers gives every disk to a CSI driver of EBS that the cluster has: that of the
// claim's class, else the one that had it, else the other one.
func (p *planner) chooseDrivers(ctx context.Context, known map[string]storagev1.StorageClass) error {
	installed, err := kube.ListMap[storagev1.CSIDriver](ctx, p.r.Kube, kube.CSIDrivers(), "", "")
	if err != nil && !kube.IsForbidden(err) {
		return fmt.Errorf("list CSI drivers: %w", err)
	}
	for i := range p.plan.Volumes {
		v := &p.plan.Volumes[i]
		old := p.facts.Volumes[v.PV].Spec.CSI
		if !v.NeedsDisk() || old == nil {
			continue
		}
		wanted := []string{known[v.Class].Provisioner, old.Driver, volume.DriverEBS, volume.DriverEBSAuto}
		at := slices.IndexFunc(wanted, func(driver string) bool {
			return volume.IsEBSDriver(driver) && (err != nil || has(installed, driver))
		})
		if at < 0 {
			p.Refuse(contract.ErrTypeInvalid, "volume %s: the cluster has no CSI driver of EBS (%s or %s), so that no pod could mount it; install one, or restore without data (--restore-volumes=false)",
				v.PV, volume.DriverEBS, volume.DriverEBSAuto)
			continue
		}
		v.Disk.Driver = wanted[at]
	}
	return nil
}

// isMapped says that a class stands in the place of another.
func (p *planner) isMapped(class string) bool {
	for _, name := range p.plan.Classes {
		if name == class {
			return true
		}
	}
	return false
}

func has[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}

// modifiedClass is the storage class that resource modifiers give a claim which would
// have this one. That a modifier fails is told when the claim is restored.
func (p *planner) modifiedClass(claim *corev1.PersistentVolumeClaim, class string) string {
	if claim == nil || p.changes.Modify == nil {
		return class
	}
	obj, err := runtime.DefaultUnstructuredConverter.ToUnstructured(withClass(claim, class))
	if err != nil {
		return class
	}
	modified := p.changes.Modify(resource.PersistentVolumeClaims, obj, obj)
	var out corev1.PersistentVolumeClaim
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(modified.Object, &out); err != nil {
		return class
	}
	return classOf(&out)
}

// withClass is a copy of a claim whose storage class is another, if it names one.
func withClass(claim *corev1.PersistentVolumeClaim, class string) *corev1.PersistentVolumeClaim {
	out := claim.DeepCopy()
	out.APIVersion, out.Kind = "v1", "PersistentVolumeClaim" // a list leaves them out
	if out.Annotations[corev1.BetaStorageClassAnnotation] != "" {
		out.Annotations[corev1.BetaStorageClassAnnotation] = class
	}
	if s := out.Spec.StorageClassName; s != nil && *s != "" {
		*s = class
	}
	return out
}
