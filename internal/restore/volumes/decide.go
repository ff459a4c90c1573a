package volumes

import (
	"cmp"
	"maps"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Reasons why the data of a volume cannot come back from a backup.
const (
	lostMoved    = "its data was moved into Velero's repository of files, which Lifeboat does not read yet"
	lostFiles    = "its data was backed up as files by Velero, which Lifeboat does not read yet"
	lostSnapshot = "the backup holds no complete snapshot of it"
	lostVolume   = "it was snapshotted and the backup does not hold its PersistentVolume"
)

// annotationDataUpload is Velero's note on a claim whose data it moved.
const annotationDataUpload = "velero.io/data-upload-name"

// decision is how a volume would come back if nothing stood in the way. Lost says why
// data that the backup was to hold does not come back, or "".
type decision struct {
	way  restore.Way
	lost string
}

// decide follows docs/VELERO.md 8.1: what volumeinfo says of the volume or, where it says
// nothing, the chain by which older versions found out. claim or pv may be nil.
func (f *volumeFacts) decide(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) decision {
	name := volumeName(pv, claim)
	info, known := f.infos[name]
	if name == "" || !known {
		return f.legacy(pv, claim)
	}
	policy := f.byPolicy(name, pv)
	switch {
	case info.SnapshotDataMoved:
		return decision{restore.WayDynamic, lostMoved}
	case info.BackupMethod == volume.MethodPodVolumeBackup:
		return decision{restore.WayDynamic, lostFiles}
	case info.BackupMethod == volume.MethodNative:
		return f.nativeOr(name, pv, policy)
	case info.BackupMethod == volume.MethodCSI && (claim == nil || info.Result == volume.Failed):
		return decision{policy, lostSnapshot}
	case info.BackupMethod == volume.MethodCSI:
		return decision{restore.WayCSI, ""}
	}
	return decision{policy, ""}
}

// legacy decides for a volume that volumeinfo does not name.
func (f *volumeFacts) legacy(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) decision {
	name := volumeName(pv, claim)
	_, native := f.natives[name]
	switch {
	case name == "":
		return decision{restore.WayDynamic, ""}
	case native:
		return f.nativeOr(name, pv, f.byPolicy(name, pv))
	case claim != nil && f.files[resource.ObjectName(claim.Namespace, claim.Name)]:
		return decision{restore.WayDynamic, lostFiles}
	case claim != nil && snapshotOf(claim) != "":
		return decision{restore.WayCSI, ""}
	case claim != nil && claim.Annotations[annotationDataUpload] != "":
		return decision{restore.WayDynamic, lostMoved}
	}
	return decision{f.byPolicy(name, pv), ""}
}

// nativeOr is native where there are a snapshot and a PV to point at its new disk.
func (f *volumeFacts) nativeOr(name string, pv *corev1.PersistentVolume, otherwise restore.Way) decision {
	n := f.natives[name]
	info := f.infos[name]
	switch {
	case pv == nil:
		return decision{restore.WayDynamic, lostVolume}
	case info.Result == volume.Failed, n.Status.Phase == volume.PhaseFailed:
		return decision{otherwise, lostSnapshot}
	case n.Status.ProviderSnapshotID == "" && (info.Native == nil || info.Native.SnapshotHandle == ""):
		return decision{otherwise, lostSnapshot}
	}
	return decision{restore.WayNative, ""}
}

// byPolicy is for a volume whose data is not in the backup: where its reclaim policy
// is not Delete its disk still exists.
func (f *volumeFacts) byPolicy(name string, pv *corev1.PersistentVolume) restore.Way {
	policy := f.reclaimPolicy(name, pv)
	if pv == nil || policy == "" || policy == string(corev1.PersistentVolumeReclaimDelete) {
		return restore.WayDynamic
	}
	return restore.WayKeep
}

func (f *volumeFacts) reclaimPolicy(name string, pv *corev1.PersistentVolume) string {
	if info := f.infos[name].PV; info != nil && info.ReclaimPolicy != "" {
		return info.ReclaimPolicy
	}
	if pv == nil {
		return ""
	}
	return string(pv.Spec.PersistentVolumeReclaimPolicy)
}

func (f *volumeFacts) labels(name string, pv *corev1.PersistentVolume) map[string]string {
	if info := f.infos[name].PV; info != nil && len(info.Labels) > 0 {
		return info.Labels
	}
	if pv == nil {
		return nil
	}
	return pv.Labels
}

func volumeName(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) string {
	switch {
	case pv != nil:
		return pv.Name
	case claim != nil:
		return claim.Spec.VolumeName
	}
	return ""
}

// snapshotOf is the VolumeSnapshot that a backup took of a claim.
func snapshotOf(claim *corev1.PersistentVolumeClaim) string {
	const key = "velero.io/volume-snapshot-name"
	return cmp.Or(claim.Annotations[key], claim.Labels[key])
}

// join pairs claims with their volumes, in the order of claims, then of volumes that
// no claim names. Of two claims that name one volume the first has it.
func (f *volumeFacts) join(fn func(*corev1.PersistentVolume, *corev1.PersistentVolumeClaim)) {
	slices.SortFunc(f.claims, func(a, b corev1.PersistentVolumeClaim) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	used := map[string]bool{}
	for i := range f.claims {
		c := &f.claims[i]
		name := c.Spec.VolumeName
		if pv, ok := f.volumes[name]; ok && !used[name] {
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
	for _, name := range slices.Sorted(maps.Keys(f.volumes)) {
		if pv := f.volumes[name]; !used[name] {
			fn(&pv, nil)
		}
	}
}
