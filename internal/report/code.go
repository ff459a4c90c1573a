package report

// Code names a kind of Reason. Codes are an interface: alerts and scripts
// match them, so a code is never renamed or given another meaning.
type Code string

// Reading the cluster.
const (
	// ListFailed: the objects of a type could not be listed (all of them, or
	// those of one namespace); none of them are in the backup.
	ListFailed Code = "LIST_FAILED"
	// ReadFailed: one object that was asked for by name could not be read; it is
	// not in the backup.
	ReadFailed Code = "READ_FAILED"
	// TypeGone: a type's definition was deleted while the backup ran, and its
	// objects with it.
	TypeGone Code = "TYPE_GONE"
	// ListInconsistent: a list outlived the API server's history and was finished
	// in a newer state; nothing is missing, but it is not of one moment.
	ListInconsistent Code = "LIST_INCONSISTENT"
	// GroupUnavailable: an API group did not answer discovery, so its types
	// are unknown and its objects are not in the backup.
	GroupUnavailable Code = "GROUP_UNAVAILABLE"
	// ObjectInvalid: one object could not be read, is too large, or is not a
	// JSON object with the name it should have.
	ObjectInvalid Code = "OBJECT_INVALID"
	// OrderedMissing: orderedResources names an object that is not there.
	OrderedMissing Code = "ORDERED_MISSING"
	// VolumeSkipped: a volume's data is not in the backup.
	VolumeSkipped Code = "VOLUME_SKIPPED"
	// ClaimUnbound: a claim has no volume, so there is no data to back up.
	ClaimUnbound Code = "CLAIM_UNBOUND"
	// SnapshotClass: no VolumeSnapshotClass can be chosen for a volume.
	SnapshotClass Code = "SNAPSHOT_CLASS"
	// SnapshotFailed: no snapshot of a volume was taken, or it did not become
	// complete; the volume's data is not in the backup.
	SnapshotFailed Code = "SNAPSHOT_FAILED"
	// SnapshotLeft: snapshots that are no part of the backup could not be deleted.
	SnapshotLeft Code = "SNAPSHOT_LEFT"
	// SnapshotUntagged: snapshots that a CSI driver made could not be given the backup's tags.
	SnapshotUntagged Code = "SNAPSHOT_UNTAGGED"
	// CleanUpFailed: the backup is committed, and what is in the way after that could not be
	// removed.
	CleanUpFailed Code = "CLEAN_UP_FAILED"
)

// Commands in containers, around a backup and after a restore.
const (
	// HookFailed: the command of a hook failed, did not end in time or could not
	// be started.
	HookFailed Code = "HOOK_FAILED"
	// HookSkipped: hooks did not run because their pod or container does not.
	HookSkipped Code = "HOOK_SKIPPED"
	// HookRepeated: a worker was lost while the command of a hook ran, and the
	// command was run again.
	HookRepeated Code = "HOOK_REPEATED"
	// HookUnbounded: an init container of a hook has a timeout, which nothing enforces.
	HookUnbounded Code = "HOOK_UNBOUNDED"
	// HookInvalid: an annotation for hooks cannot be read as it is.
	HookInvalid Code = "HOOK_INVALID"
)

// Reading the filters of a spec against a cluster or an archive.
const (
	// NamespaceMissing: a namespace named in the spec does not exist.
	NamespaceMissing Code = "NAMESPACE_MISSING"
	// NamespaceTerminating: a namespace named in the spec is being deleted.
	NamespaceTerminating Code = "NAMESPACE_TERMINATING"
	// TypeUnknown: a resource type named in the spec is not served by the
	// cluster (nor found in the archive).
	TypeUnknown Code = "TYPE_UNKNOWN"
	// TypeAmbiguous: a name in the spec is that of types of several groups, of which one is
	// taken.
	TypeAmbiguous Code = "TYPE_AMBIGUOUS"
	// TypeWrongScope: a resource type stands in the filter of the other
	// scope, where it selects nothing.
	TypeWrongScope Code = "TYPE_WRONG_SCOPE"
	// TypeNotListed: a type named in the spec is never backed up by itself.
	TypeNotListed Code = "TYPE_NOT_LISTED"
	// GlobEmpty: a glob in the spec matches nothing, and so selects nothing.
	GlobEmpty Code = "GLOB_EMPTY"
	// ClusterScopedLeft: a restore that leaves out some namespaces leaves out cluster-scoped
	// objects too, though its spec does not say so.
	ClusterScopedLeft Code = "CLUSTER_SCOPED_LEFT"
	// NothingSelected: the filters leave no object at all.
	NothingSelected Code = "NOTHING_SELECTED"
)

// Writing to a cluster.
const (
	// TypeNotServed: the target cluster does not serve the object's type.
	TypeNotServed Code = "TYPE_NOT_SERVED"
	// ExistsDiffers: the object exists with other content and was left alone.
	ExistsDiffers Code = "EXISTS_DIFFERS"
	// UpdateFailed: the object exists and could not be brought to the
	// backup's content.
	UpdateFailed Code = "UPDATE_FAILED"
	// Conflict: the object changed while it was being written.
	Conflict Code = "CONFLICT"
	// Forbidden: the credentials in use may not read or write the object.
	Forbidden Code = "FORBIDDEN"
	// WebhookDenied: an admission webhook or policy refused the object.
	WebhookDenied Code = "WEBHOOK_DENIED"
	// QuotaExceeded: a ResourceQuota refused the object.
	QuotaExceeded Code = "QUOTA_EXCEEDED"
	// ObjectRejected: the API server refused the object as invalid.
	ObjectRejected Code = "OBJECT_REJECTED"
	// ApplyFailed: the object could not be written for another reason.
	ApplyFailed Code = "APPLY_FAILED"
	// StatusFailed: the object was written but its status was not.
	StatusFailed Code = "STATUS_FAILED"
	// OwnerMissing: an ownerReference was dropped because the owner is
	// neither in the restore nor in the cluster.
	OwnerMissing Code = "OWNER_MISSING"
	// ResidualReference: the object still names a namespace that was mapped
	// to another, in a place that is never rewritten.
	ResidualReference Code = "RESIDUAL_REFERENCE"
	// FinalizerKept: the object carries a finalizer whose controller may not
	// run in this cluster, which can block its deletion.
	FinalizerKept Code = "FINALIZER_KEPT"
	// ModifierFailed: a resource modifier could not be applied to the object, which
	// was restored without it.
	ModifierFailed Code = "MODIFIER_FAILED"
	// ModifierUnused: a resource modifier met no object of the restore.
	ModifierUnused Code = "MODIFIER_UNUSED"
	// MayRunAgain: the object's stored status says that its work had ended; it was restored
	// without the status.
	MayRunAgain Code = "MAY_RUN_AGAIN"
	// OfLostPod: the object belonged to a Pod that is not restored, with which it would have
	// been deleted.
	OfLostPod Code = "OF_LOST_POD"
	// MadeByController: a controller had made the object of something else, and may make another.
	MadeByController Code = "MADE_BY_CONTROLLER"
	// ActsOutside: the object changes something outside the cluster, which another cluster
	// may use as well.
	ActsOutside Code = "ACTS_OUTSIDE"
	// NotRestorable: the object is of a kind that is never restored.
	NotRestorable Code = "NOT_RESTORABLE"
	// CRDNotReady: a definition did not become Established in time.
	CRDNotReady Code = "CRD_NOT_READY"
	// NamespaceNotReady: a namespace is terminating or could not be made.
	NamespaceNotReady Code = "NAMESPACE_NOT_READY"
	// ObjectTerminating: what the cluster has in the object's place is being deleted.
	ObjectTerminating Code = "OBJECT_TERMINATING"
	// OwnerRefused: the server refused to write an object's owners back.
	OwnerRefused Code = "OWNER_REFUSED"
	// PlanChanged: the cluster changed between the plan and the run.
	PlanChanged Code = "PLAN_CHANGED"
)

// Bringing volumes back.
const (
	// VolumeNotRestored: the backup was to hold a volume's data and it did not come
	// back.
	VolumeNotRestored Code = "VOLUME_NOT_RESTORED"
	// VolumeLeft: a claim or volume is in the cluster already and was left alone,
	// with the data it has.
	VolumeLeft Code = "VOLUME_LEFT"
	// VolumeUnselected: the restore's filters rule out what a claim's data needs.
	VolumeUnselected Code = "VOLUME_UNSELECTED"
	// VolumeEmpty: a claim gets an empty volume, because the backup holds no data of it.
	VolumeEmpty Code = "VOLUME_EMPTY"
	// VolumeShared: a claim gets the very disk or share that it had in the cluster that was
	// backed up.
	VolumeShared Code = "VOLUME_SHARED"
	// SnapshotUnchecked: whether a volume's snapshot can be used was not to be found
	// out before the restore began to write.
	SnapshotUnchecked Code = "SNAPSHOT_UNCHECKED"
	// VolumeMoved: a volume was restored in another zone, off its Outpost, or under another name.
	VolumeMoved Code = "VOLUME_MOVED"
	// ClassMissing: a claim names a storage class that is not there.
	ClassMissing Code = "STORAGE_CLASS_MISSING"
	// ClaimPending: a restored claim was not bound while the restore looked.
	ClaimPending Code = "CLAIM_PENDING"
	// PatchFailed: a provisioned volume could not be given its labels or policy.
	PatchFailed Code = "PATCH_FAILED"
)

// The bucket and the run itself.
const (
	// StoreDegraded: the object store lacks a capability that a guarantee
	// rests on (for example conditional writes).
	StoreDegraded Code = "STORE_DEGRADED"
	// LocationUnread: a storage location that may hold what was looked for could not
	// be read; it was found elsewhere.
	LocationUnread Code = "LOCATION_UNREAD"
	// ResultsNotStored: a restore has no place for its results, which are only told.
	ResultsNotStored Code = "RESULTS_NOT_STORED"
	// BackupCorrupt: a verification has found damage in the backup that is restored.
	BackupCorrupt Code = "BACKUP_CORRUPT"
	// ObjectDamaged: stored bytes of an object that was to be restored are not what was written.
	ObjectDamaged Code = "OBJECT_DAMAGED"
	// BackupIncomplete: the backup that is restored is not Completed.
	BackupIncomplete Code = "BACKUP_INCOMPLETE"
	// UnusualChange: much, or something dangerous, changed since the backup before.
	UnusualChange Code = "UNUSUAL_CHANGE"
	// FieldIgnored: the spec asks for something that has no effect here.
	FieldIgnored Code = "FIELD_IGNORED"
	// TooMany: reasons beyond the limit were counted but not kept.
	TooMany Code = "TOO_MANY"
)
