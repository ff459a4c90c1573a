// Package temporal is the one way in which Lifeboat's programs talk to Temporal: it
// connects, starts runs of backups, restores and deletions, follows, lists and
// cancels them, and reads the catalog through the Catalog workflow's Update.
//
// The worker and the CLI share it, so that a run has the same workflow id, memo,
// search attributes and summary whoever starts it. It takes and gives the inputs and
// results of package contract and knows no flag, no exit code, no bucket and no API
// server. Errors are translated here, once: callers branch on the sentinels and on
// *RunError, and never see a Temporal type.
package temporal
