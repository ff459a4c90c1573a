// Package filter decides which objects a Velero spec selects.
//
// It speaks the BackupSpec and RestoreSpec of velero.io/v1 with Velero's
// semantics. Validate* check a spec alone, before anything is read; New* bind a
// valid spec to what exists (the namespaces of the cluster or of the archive,
// the names that discovery resolves) and give a Backup or a Restore: plain
// data that survives JSON, so that activities can share it through the bucket
// without discovering again, and that answers questions about types,
// namespaces and labels.
//
// Words used here:
//   - a type is a discovered resource type, named plural[.group];
//   - an entry is one string of an include or exclude list: a name, a glob,
//     or "*" for everything;
//   - a listed object is found by listing its type; a related object is
//     pulled in because a listed one needs it (the volume of a claim).
//
// Where Velero surprises its users the package deliberately differs:
//   - a backup whose spec filters neither namespaces nor types takes every
//     cluster-scoped object. Velero since 1.17 leaves most of them out;
//   - a label velero.io/exclude-from-backup on some namespace does not turn
//     such a backup into one of selected namespaces: whether the spec is
//     unfiltered is judged by the spec;
//   - a glob, or an include list of types that are unknown or of the other
//     scope, selects nothing and is reported; Velero reads some such lists as
//     if they were empty, and so takes everything;
//   - the Namespace object of a namespace that is not selected is never stored;
//     Velero stores it when its own labels match the selector;
//   - spaces around the names in orderedResources are ignored;
//   - a resourcePolicy or resourceModifier of another kind than configmap is
//     refused instead of being dropped in silence;
//   - a restore has no resourcePolicy: Velero 1.18 takes filters for single
//     namespaces and kinds from it, and drops the rest in silence.
package filter
