// Package listing decides what a list of backups or restores holds: what the bucket stores,
// and besides it the runs that go on or have failed, as rows and as Velero documents.
package listing
