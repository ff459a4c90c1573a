// Package assertion tries whether what the user wants to hold of the restored data does.
//
// An assertion that does not hold is no error: its result says what was found and why that is
// not enough. What is found is bounded, and values of Secrets of the copy's namespaces are
// taken out of it. What the package makes in the cluster (the probe pod, Jobs) lies in the
// copy's namespaces and carries the drill's labels, so that the teardown takes it away.
//
// Values that are known to be good can be recorded with the backup (Recorded).
package assertion
