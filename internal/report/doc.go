// Package report says what happened to the objects of a backup or a restore.
//
// A Reason is one fact about one object, type, namespace or the run itself: a
// stable code to branch and alert on, a message with the cause, and the next
// step for the reader. Everything else here is a view of a run for people and
// for Velero's tools: Results is the content of Velero's results file,
// ResourceList that of its resource-list file, Log its log file.
//
// The package is pure: no I/O, no clock of its own, no dependency outside the
// standard library, so that workflow code may import it.
package report
