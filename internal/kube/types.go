package kube

// The types that volume and hook code works with. Their versions are those that
// every supported API server serves, so no discovery is needed; the snapshot
// types are custom resources, and where they are not installed a request of
// them IsNotFound.

// Namespaces is the type of namespaces.
func Namespaces() Resource { return coreType("namespaces", "Namespace", false) }

// Pods is the type of pods.
func Pods() Resource { return coreType("pods", "Pod", true) }

// ReplicationControllers is the type of ReplicationControllers.
func ReplicationControllers() Resource {
	return coreType("replicationcontrollers", "ReplicationController", true)
}

// Services is the type of Services.
func Services() Resource { return coreType("services", "Service", true) }

// Secrets is the type of Secrets.
func Secrets() Resource { return coreType("secrets", "Secret", true) }

// Events is the type of events.
func Events() Resource { return coreType("events", "Event", true) }

// Jobs is the type of Jobs.
func Jobs() Resource {
	return Resource{Group: "batch", Version: "v1", Name: "jobs", Kind: "Job", Namespaced: true}
}

// NetworkPolicies is the type of NetworkPolicies.
func NetworkPolicies() Resource {
	return Resource{Group: "networking.k8s.io", Version: "v1", Name: "networkpolicies", Kind: "NetworkPolicy", Namespaced: true}
}

// Apps is a type of the group apps: deployments, statefulsets, daemonsets, replicasets.
func Apps(name, kind string) Resource {
	return Resource{Group: "apps", Version: "v1", Name: name, Kind: kind, Namespaced: true}
}

// Claims is the type of PersistentVolumeClaims.
func Claims() Resource { return coreType("persistentvolumeclaims", "PersistentVolumeClaim", true) }

// Volumes is the type of PersistentVolumes.
func Volumes() Resource { return coreType("persistentvolumes", "PersistentVolume", false) }

// Nodes is the type of nodes.
func Nodes() Resource { return coreType("nodes", "Node", false) }

// ConfigMaps is the type of ConfigMaps.
func ConfigMaps() Resource { return coreType("configmaps", "ConfigMap", true) }

// StorageClasses is the type of StorageClasses.
func StorageClasses() Resource { return storageType("storageclasses", "StorageClass") }

// VolumeAttributesClasses is the type of VolumeAttributesClasses.
func VolumeAttributesClasses() Resource {
	return storageType("volumeattributesclasses", "VolumeAttributesClass")
}

// CSIDrivers is the type of the drivers that are installed.
func CSIDrivers() Resource { return storageType("csidrivers", "CSIDriver") }

// VolumeSnapshots is the type of VolumeSnapshots.
func VolumeSnapshots() Resource { return snapshotType("volumesnapshots", "VolumeSnapshot", true) }

// VolumeSnapshotContents is the type of VolumeSnapshotContents.
func VolumeSnapshotContents() Resource {
	return snapshotType("volumesnapshotcontents", "VolumeSnapshotContent", false)
}

// VolumeSnapshotClasses is the type of VolumeSnapshotClasses.
func VolumeSnapshotClasses() Resource {
	return snapshotType("volumesnapshotclasses", "VolumeSnapshotClass", false)
}

func coreType(name, kind string, namespaced bool) Resource {
	return Resource{Version: "v1", Name: name, Kind: kind, Namespaced: namespaced}
}

func storageType(name, kind string) Resource {
	return Resource{Group: "storage.k8s.io", Version: "v1", Name: name, Kind: kind}
}

func snapshotType(name, kind string, namespaced bool) Resource {
	return Resource{Group: "snapshot.storage.k8s.io", Version: "v1", Name: name, Kind: kind, Namespaced: namespaced}
}
