// Package workflows is the map of the product: one file a workflow, one method a
// phase, nothing but orchestration. A method bears the name of the activity that it
// runs. All I/O lies in activities, which are named by package contract.
//
//	Backup        prepare → snapshots → export shards, related objects → check and finish
//	              snapshots → seal → verify → commit
//	Restore       open archive → plan → volumes → levels, each in parallel → relink owners →
//	              hooks → patch provisioned volumes → finish
//	DeleteBackup  plan, with the tombstone → snapshots → files
//	Catalog       one run a cluster that answers the CLI's reads
//
// The code is deterministic: no clock, no random number, no map range, no I/O.
// `make lint`, by workflowcheck, and the replay tests over testdata/histories guard that.
package workflows
