package report

// Why the rules of package resource leave an object out or warn about it. The text that
// comes with such a code says what to do, so these have no defaults.
const (
	// ClusterManaged: the cluster makes this object itself.
	ClusterManaged Code = "CLUSTER_MANAGED"
	// Finished: a Pod or Job that had ended; restoring it would run it again.
	Finished Code = "FINISHED"
	// OwnerRecreates: the object's controller is restored and makes it anew.
	OwnerRecreates Code = "OWNER_RECREATES"
	// VolumeDynamic: the volume is provisioned anew for its claim.
	VolumeDynamic Code = "VOLUME_DYNAMIC"
	// SnapshotOfClaim: the backup took this snapshot of a claim, which is restored
	// from it.
	SnapshotOfClaim Code = "SNAPSHOT_OF_CLAIM"
	// AddressChanges: the outside address of the object will be another one.
	AddressChanges Code = "ADDRESS_CHANGES"
	// ClusterIPReleased: a cluster IP that the manifest stated was let go.
	ClusterIPReleased Code = "CLUSTER_IP_RELEASED"
)
