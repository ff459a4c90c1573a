package volume

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Disposition is what becomes of a volume and its claim at a restore. Where the data of
// the volume comes back, it is the name of the method that provisions it. The values are
// persisted in staging.
type Disposition string

// The dispositions of volumes whose data does not come back from the backup.
const (
	Dynamic Disposition = "dynamic" // the claim is provisioned empty
	Keep    Disposition = "keep"    // the PersistentVolume is restored as it was, pointing at the same disk
	Leave   Disposition = "left"    // claim or PersistentVolume is in the cluster and is left alone
)

// ProvisionBy is the disposition of a volume whose data a method brings back.
func ProvisionBy(m Method) Disposition { return Disposition(m) }

// Method is the one that brings the data back, "" if none does.
func (d Disposition) Method() Method {
	switch d {
	case Dynamic, Keep, Leave:
		return ""
	}
	return Method(d)
}

// Reasons why the data of a volume cannot come back from a backup.
const (
	lostMoved    = "its data was moved into Velero's repository of files, which Lifeboat does not read yet"
	lostFiles    = "its data was backed up as files by Velero, which Lifeboat does not read yet"
	lostSnapshot = "the backup holds no complete snapshot of it"
	lostVolume   = "it was snapshotted and the backup does not hold its PersistentVolume"
)

// annotationDataUpload is Velero's note on a claim whose data it moved.
const annotationDataUpload = "velero.io/data-upload-name"

// Decision is how a volume would come back if nothing stood in the way.
type Decision struct {
	Disposition Disposition
	// Lost says why data that the backup was to hold does not come back, or "".
	Lost string
}

// Decide follows docs/VELERO.md 8.1: what volumeinfo says of the volume or, where it says
// nothing, the chain by which older versions found out. claim or pv may be nil.
func (f *Facts) Decide(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) Decision {
	name := NameOf(pv, claim)
	info, known := f.Infos[name]
	if name == "" || !known {
		return f.decideWithoutInfo(pv, claim)
	}
	policy := f.decideByPolicy(name, pv)
	switch {
	case info.SnapshotDataMoved:
		return Decision{Dynamic, lostMoved}
	case info.BackupMethod == VeleroPodVolumeBackup:
		return Decision{Dynamic, lostFiles}
	case info.BackupMethod == VeleroNative:
		return f.decideNative(name, pv, policy)
	case info.BackupMethod == VeleroCSI && (claim == nil || info.Result == Failed):
		return Decision{policy, lostSnapshot}
	case info.BackupMethod == VeleroCSI:
		return Decision{ProvisionBy(MethodCSI), ""}
	}
	return Decision{policy, ""}
}

// decideWithoutInfo decides for a volume that volumeinfo does not name.
func (f *Facts) decideWithoutInfo(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) Decision {
	name := NameOf(pv, claim)
	_, native := f.Natives[name]
	switch {
	case name == "":
		return Decision{Dynamic, ""}
	case native:
		return f.decideNative(name, pv, f.decideByPolicy(name, pv))
	case claim != nil && f.Files[claim.Namespace+"/"+claim.Name]:
		return Decision{Dynamic, lostFiles}
	case claim != nil && SnapshotOf(claim) != "":
		return Decision{ProvisionBy(MethodCSI), ""}
	case claim != nil && claim.Annotations[annotationDataUpload] != "":
		return Decision{Dynamic, lostMoved}
	}
	return Decision{f.decideByPolicy(name, pv), ""}
}

// decideNative provisions the volume where there are a snapshot and a PV to point at its new disk.
func (f *Facts) decideNative(name string, pv *corev1.PersistentVolume, otherwise Disposition) Decision {
	n := f.Natives[name]
	info := f.Infos[name]
	switch {
	case pv == nil:
		return Decision{Dynamic, lostVolume}
	case info.Result == Failed, n.Status.Phase == PhaseFailed:
		return Decision{otherwise, lostSnapshot}
	case n.Status.ProviderSnapshotID == "" && (info.Native == nil || info.Native.SnapshotHandle == ""):
		return Decision{otherwise, lostSnapshot}
	}
	return Decision{ProvisionBy(MethodNative), ""}
}

// decideByPolicy is for a volume whose data is not in the backup: where its reclaim policy
// is not Delete its disk still exists.
func (f *Facts) decideByPolicy(name string, pv *corev1.PersistentVolume) Disposition {
	policy := f.ReclaimPolicy(name, pv)
	if pv == nil || policy == "" || policy == string(corev1.PersistentVolumeReclaimDelete) {
		return Dynamic
	}
	return Keep
}

// ReclaimPolicy is the one that a volume had, by volumeinfo or else by itself.
func (f *Facts) ReclaimPolicy(name string, pv *corev1.PersistentVolume) string {
	if info := f.Infos[name].PV; info != nil && info.ReclaimPolicy != "" {
		return info.ReclaimPolicy
	}
	if pv == nil {
		return ""
	}
	return string(pv.Spec.PersistentVolumeReclaimPolicy)
}

// Labels are those that a volume had, by volumeinfo or else by itself.
func (f *Facts) Labels(name string, pv *corev1.PersistentVolume) map[string]string {
	if info := f.Infos[name].PV; info != nil && len(info.Labels) > 0 {
		return info.Labels
	}
	if pv == nil {
		return nil
	}
	return pv.Labels
}

// NameOf is the name of a claim's volume. Both may be nil.
func NameOf(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) string {
	switch {
	case pv != nil:
		return pv.Name
	case claim != nil:
		return claim.Spec.VolumeName
	}
	return ""
}

// SnapshotOf is the VolumeSnapshot that a backup took of a claim.
func SnapshotOf(claim *corev1.PersistentVolumeClaim) string {
	const key = "velero.io/volume-snapshot-name"
	return cmp.Or(claim.Annotations[key], claim.Labels[key])
}

// Join pairs claims with their volumes, in the order of claims, then of volumes that
// no claim names. Of two claims that name one volume the first has it.
func (f *Facts) Join(fn func(*corev1.PersistentVolume, *corev1.PersistentVolumeClaim)) {
	slices.SortFunc(f.Claims, func(a, b corev1.PersistentVolumeClaim) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	used := map[string]bool{}
	for i := range f.Claims {
		c := &f.Claims[i]
		name := c.Spec.VolumeName
		if pv, ok := f.Volumes[name]; ok && !used[name] {
			used[name] = true
			fn(&pv, c)
			continue
		}
		if used[name] {
			c = c.DeepCopy()
			c.Spec.VolumeName = ""
		}
		fn(nil, c)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Volumes)) {
		if pv := f.Volumes[name]; !used[name] {
			fn(&pv, nil)
		}
	}
}
