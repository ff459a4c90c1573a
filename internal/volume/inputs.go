package volume

import (
	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
)

// Inputs are what Make judges by, read by the caller. Objects of other namespaces
// than those of the backup may be left out.
type Inputs struct {
	Claims          []corev1.PersistentVolumeClaim
	Volumes         []corev1.PersistentVolume
	Pods            []corev1.Pod
	SnapshotClasses []snapshotv1.VolumeSnapshotClass

	Policies          *Policies // nil: none
	Spec              velerov1.BackupSpec
	BackupUID         string // names are made of it
	BackupAnnotations map[string]string

	// Native says that there is a VolumeSnapshotLocation for EBS: the one that the
	// spec names or, where it names none, the configuration's.
	Native bool
	// CSI says that the cluster serves VolumeSnapshots.
	CSI bool
	// Selected says whether an object is in the backup, as listed or as related
	// to a listed one. resource is plural[.group]. Nil: all are.
	Selected func(resource, namespace, name string, labels map[string]string) bool
}
