// Package input makes the input of a backup or restore from what the command line says: a
// Velero manifest, flags that override it, and a name.
//
// An input that it gives is named and valid as far as that can be told without the cluster,
// so that a slip is reported at once and not by a run that failed.
package input
