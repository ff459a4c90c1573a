// Package beside has the documents that lie in the bucket beside a backup, whose own files they
// never change, for a lock may protect those.
//
//   - retention.go: until when a backup is kept, that it is held, and failed deletions of it.
//   - verification.go, rehearsals.go: what a verification and a rehearsal have found.
//   - tombstone.go: which snapshots a deletion that has begun deletes.
//   - changes.go: what is remembered of the changes between the backups of a series.
//   - seen.go: what the search for orphans has seen of a location.
//
// What a listing learns of them from their keys alone is in package repository.
package beside
