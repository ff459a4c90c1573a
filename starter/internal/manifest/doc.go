// Package manifest reads Velero's Backup and Restore documents, YAML or JSON, as
// users have them in their repositories, and our Drill documents, and makes such documents.
//
// Reading is strict where a slip would change what is backed up: an unknown field of
// spec is refused with its path, because a mistyped filter that is silently
// dropped becomes a backup of everything. It is lenient where nothing hangs on
// it: status and every field of metadata that Kubernetes knows are accepted and,
// but for name, labels and annotations, ignored. Deprecated spec fields are
// accepted. One file holds one document.
package manifest
