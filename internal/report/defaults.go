package report

// defaults of a code: what it usually weighs and what to do about it.
type defaults struct {
	code     Code
	severity Severity
	next     string
}

// defaults of an unknown code weigh as an error and promise no remedy.
func (c Code) defaults() defaults {
	for _, find := range [...]func(Code) (defaults, bool){
		readDefaults, hookDefaults, filterDefaults, writeDefaults, refusedDefaults, volumeDefaults, runDefaults,
	} {
		if d, ok := find(c); ok {
			return d
		}
	}
	return defaults{code: c, severity: Error}
}

// findDefaults looks a code up. A table stays on the stack of the function that writes it
// here: a restore may give a reason for each of 100,000 objects.
func findDefaults(c Code, table []defaults) (defaults, bool) {
	for _, d := range table {
		if d.code == c {
			return d, true
		}
	}
	return defaults{}, false
}

func readDefaults(c Code) (defaults, bool) {
	return findDefaults(c, []defaults{
		{ListFailed, Error, "check that the worker's role may list this type and that its API answers, then take the backup again"},
		{ReadFailed, Error, "check that the worker's role may get this object and that its API, or the conversion webhook of its type, answers, then take the backup again"},
		{TypeGone, Warning, "nothing if the definition was meant to go; otherwise create it again, then restore its objects from an earlier backup"},
		{ListInconsistent, Warning, "nothing is missing; back up at a quieter time if objects of this type must be of one moment"},
		{GroupUnavailable, Error, "run 'kubectl get apiservice' and repair or remove the one that is not Available, then take the backup again"},
		{ObjectInvalid, Error, "read the object with kubectl and repair it, or exclude it with the label velero.io/exclude-from-backup=true"},
		{OrderedMissing, Warning, "correct the name in spec.orderedResources or remove it"},
		{VolumeSkipped, Warning, "back up this volume by other means until a path for it is configured"},
		{ClaimUnbound, Error, "bind or delete the claim, or leave such claims out by a resource policy with the action skip"},
		{SnapshotClass, Error, "create the class or correct its name, or leave the volume out by a resource policy with the action skip"},
		{SnapshotFailed, Error, "read the message, remove the cause, then take the backup again"},
		{SnapshotUntagged, Warning, "let the worker's role have ec2:CreateTags on the snapshots of the CSI driver (deploy/iam/volumes.json)"},
		{SnapshotLeft, Warning, "grant the permission that the message names, and delete the snapshots that carry the backup's uid as a tag"},
		{CleanUpFailed, Warning, "the backup is whole; grant the permission that the message names, and delete the VolumeSnapshots and VolumeSnapshotContents that carry the backup's uid as a label"},
	})
}

func hookDefaults(c Code) (defaults, bool) {
	return findDefaults(c, []defaults{
		{HookFailed, Error, "run the command by hand with 'kubectl exec', repair it or raise its timeout, then run the backup or restore again"},
		{HookSkipped, Warning, "nothing if the pod is not meant to run; otherwise repair it, then run the backup or restore again"},
		{HookRepeated, Warning, "nothing if the command may run twice; otherwise look at what it left"},
		{HookUnbounded, Warning, "bound the command itself, by the program timeout for example; a pod that hangs in it is deleted with kubectl"},
		{HookInvalid, Warning, "correct the annotation of the pod, or of the template that it is made from"},
	})
}

func filterDefaults(c Code) (defaults, bool) {
	return findDefaults(c, []defaults{
		{NamespaceMissing, Error, "correct the name in the spec, or remove it if the namespace is gone for good"},
		{NamespaceTerminating, Warning, "wait until the namespace is gone or its finalizers are resolved"},
		{TypeUnknown, Warning, "correct the name (see 'kubectl api-resources'), or remove it if the type is no longer served"},
		{TypeAmbiguous, Warning, "write the type with its group, such as deployments.apps, and each type that is meant"},
		{TypeWrongScope, Warning, "move it to the filter of its own scope"},
		{TypeNotListed, Warning, "remove it from the spec: snapshots made by a backup are included with their volumes"},
		{GlobEmpty, Warning, "correct the glob, or remove it if nothing is meant to match any more"},
		{ClusterScopedLeft, Warning, "restore with --include-cluster-resources (spec.includeClusterResources: true) if they are wanted, or with --include-cluster-resources=false if not"},
		{NothingSelected, Warning, "widen the filters of the spec: as they are, they select nothing"},
	})
}

func writeDefaults(c Code) (defaults, bool) {
	return findDefaults(c, []defaults{
		{StatusFailed, Warning, "the object itself is restored; let its controller rebuild the status, or patch the status subresource"},
		{OwnerMissing, Warning, "nothing if the owner is gone for good; otherwise restore the owner and set the reference again"},
		{OwnerRefused, Error, "remove the cause that the message names, then set ownerReferences with 'kubectl edit', or delete the object and restore again"},
		{ResidualReference, Warning, "look at the named fields and change them by hand where they should follow the namespace mapping"},
		{FinalizerKept, Warning, "install the controller that serves the finalizer, or remove the finalizer before deleting the object"},
		{ModifierFailed, Error, "correct the rule in the ConfigMap of resource modifiers, delete the object and restore it again, or change it by hand"},
		{ModifierUnused, Warning, "correct the rule's conditions in the ConfigMap of resource modifiers; a type is written as plural.group, as 'kubectl api-resources' has it"},
		{MayRunAgain, Warning, "look whether its controller began it again; to keep a status, restore it with --status-include-resources or the annotation velero.io/restore-status"},
		{OfLostPod, Warning, "delete it if its controller makes another for each pod, and leave its type out by --exclude-resources; nothing if somebody else uses it"},
		{MadeByController, Warning, "look whether its controller has made another, and delete the one that it does not use; leave its type out by --exclude-resources"},
		{ActsOutside, Warning, "look that no other cluster uses it, or delete the object"},
		{NotRestorable, Warning, "nothing: the cluster makes objects of this kind itself"},
		{CRDNotReady, Error, "read the definition's conditions with 'kubectl describe crd', repair it, then restore again"},
		{NamespaceNotReady, Error, "wait until the namespace is gone or its finalizers are resolved, then restore again"},
		{ObjectTerminating, Error, "wait until it is gone, or remove its finalizers with 'kubectl edit' if nothing serves them, then restore again"},
		{PlanChanged, Warning, "compare the object with the plan; restore again if the result is not what was planned"},
	})
}

func refusedDefaults(c Code) (defaults, bool) {
	return findDefaults(c, []defaults{
		{TypeNotServed, Error, "install the operator or API that serves this type (or a cluster version that does), then restore again"},
		{ExistsDiffers, Warning, "compare the two ('restore create --dry-run' shows the fields); existingResourcePolicy: update writes the backup's content over it"},
		{UpdateFailed, Warning, "delete the object and restore again if it must equal the backup: some fields cannot be changed in place"},
		{Conflict, Error, "restore again; if it repeats, pause the controller that writes this object"},
		{Forbidden, Error, "grant the worker's role the verb on this type, then restore again"},
		{WebhookDenied, Error, "repair the webhook or policy named in the message, or exempt this namespace from it, then restore again"},
		{QuotaExceeded, Error, "raise or remove the ResourceQuota of the namespace, then restore again"},
		{ObjectRejected, Error, "read the message: this cluster does not take the object as it is; change it by a resource modifier and restore again"},
		{ApplyFailed, Error, "read the message, remove the cause, then restore again: objects already restored are left alone"},
	})
}

func volumeDefaults(c Code) (defaults, bool) {
	return findDefaults(c, []defaults{
		{VolumeNotRestored, Error, "read the message, remove the cause, delete the claim if it is there, then restore again"},
		{VolumeLeft, Warning, "delete the claim and its volume, or restore into another namespace, if the backup's data is wanted"},
		{VolumeUnselected, Warning, "let the restore's filters take persistentvolumes and cluster-scoped resources in if the data is wanted"},
		{VolumeEmpty, Warning, "fill it by other means if its data matters, and have later backups take snapshots of it"},
		{VolumeShared, Warning, "look that no other cluster uses it, or leave the claim and its volume out of the restore"},
		{SnapshotUnchecked, Warning, "read the message, allow or repair what it names, and look whether the volume came back"},
		{VolumeMoved, Warning, "nothing, unless something relies on the zone or the name"},
		{ClassMissing, Warning, "create the storage class, or map it to another with --storage-class-mappings, then restore again"},
		{ClaimPending, Warning, "read the claim's events with 'kubectl describe pvc'"},
		{PatchFailed, Warning, "patch the volume's reclaim policy and labels by hand"},
	})
}

func runDefaults(c Code) (defaults, bool) {
	return findDefaults(c, []defaults{
		{StoreDegraded, Warning, "run 'lifeboat location check' and use a store that has the capability for backups that matter"},
		{LocationUnread, Warning, "name the location with --storage-location if the backup is another of the name; run 'lifeboat location check'"},
		{ResultsNotStored, Warning, "keep what 'lifeboat restore describe' shows, or name a place with --results-location or resultsLocation in the worker's configuration"},
		{BackupCorrupt, Warning, "see what was found with 'lifeboat backup describe', and check what was restored against it"},
		{ObjectDamaged, Error, "restore it from another backup, which 'lifeboat object history' names; where the bucket keeps versions, put the right one of the file back"},
		{BackupIncomplete, Warning, "see what it lacks with 'lifeboat backup describe', and restore another backup if that matters"},
		{UnusualChange, Warning, "compare the two backups with 'lifeboat backup diff', and release the held one with 'lifeboat backup release' if the change was meant"},
		{FieldIgnored, Warning, "remove the field from the spec if you do not need it"},
		{TooMany, Warning, "remove the causes that are listed and run again to see the rest"},
	})
}
