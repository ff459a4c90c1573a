// Package workflows is the map of the product: one file a workflow, one method a
// phase, nothing but orchestration. All I/O lies in activities, which are named
// by package contract.
//
//	Backup        prepare → snapshots → export shards, related objects → await and record
//	              snapshots → seal → verify → commit
//	Restore       open archive → plan → volumes → levels, each in parallel → link owners →
//	              hooks → await claims → finish
//	DeleteBackup  tombstone → commit marker, snapshots → files
//	Catalog       one entity a cluster that answers the CLI's reads
//
// The code is deterministic: no clock, no random number, no map range, no I/O.
// `make workflowcheck` and the replay tests over testdata/histories guard that.
package workflows
