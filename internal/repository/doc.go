// Package repository owns the bucket: it knows every key and every document that
// Lifeboat writes beside the archives, and nothing else builds a key.
//
//   - locations.go: the storage locations of the configuration, each opened once.
//   - search.go: one question put to the named location or to all of them.
//   - staging.go, files.go: the working space of one run, and the names in it.
//   - place.go: digests that tell places in buckets apart.
//   - clustername.go: which cluster a name of a cluster belongs to.
//   - namelock.go: who is writing a backup of a name.
//   - backups.go, entries.go: the documents of backups and restores, and the lists
//     beside a tarball.
//   - listing.go: all backups of a location in pages, without reading the documents of
//     most of those that have a catalog entry.
//   - catalogentry.go, pageentries.go: what the key of an entry tells, and how entries
//     are found wrong and put right.
//   - verdicts.go, proofs.go: what keys tell of verifications and rehearsals.
//   - schedule.go: schedules of a cluster, what became of their due times, whose turn it is.
//   - documents.go: how a document is written once, replaced, composed and read back.
//   - source.go, archives.go: a store as the source of an archive, and the archives that
//     a worker keeps open.
//
// Keys are those of archive/layout; package beside has the documents beside a backup.
// Documents read back are hostile input: their size is bounded, and what does not decode is
// archive.ErrCorrupt.
package repository
