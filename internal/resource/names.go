package resource

import (
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Group-resources ("plural.group") of types that Lifeboat treats in a way of their own.
const (
	Pods                   = "pods"
	PersistentVolumes      = "persistentvolumes"
	PersistentVolumeClaims = "persistentvolumeclaims"
	StatefulSets           = "statefulsets.apps"

	CustomResourceDefinitions = "customresourcedefinitions.apiextensions.k8s.io"

	VolumeSnapshots        = "volumesnapshots.snapshot.storage.k8s.io"
	VolumeSnapshotContents = "volumesnapshotcontents.snapshot.storage.k8s.io"
	VolumeSnapshotClasses  = "volumesnapshotclasses.snapshot.storage.k8s.io"
)

// FieldManager owns the fields that a restore writes.
const FieldManager = "lifeboat"

// ObjectName is "namespace/name", or the name alone of a cluster-scoped object.
func ObjectName(ns, name string) string {
	return report.ObjectName(ns, name)
}

// SplitName cuts "namespace/name"; a name alone is cluster-scoped.
func SplitName(s string) (ns, name string) {
	if ns, name, ok := strings.Cut(s, "/"); ok {
		return ns, name
	}
	return "", s
}
