// Package backup holds what the phases of a backup share: its plan and the documents that
// they hand on to each other through staging, and the two ends of it, Prepare and Commit.
//
// Prepare locks the name, plans shards and volumes and writes the plan (prepare.go,
// namelock.go, volumes.go, volumelist.go, units.go). The phases between are packages of
// their own below this one. Commit writes the Backup document (commit.go).
//
// Every phase may repeat, on another worker too: nothing is kept in memory between them.
// A backup exists once its Backup document is there, and not before.
package backup
