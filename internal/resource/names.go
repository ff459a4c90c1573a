package resource

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
