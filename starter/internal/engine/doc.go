// Package engine is the CLI's one way to Lifeboat: a client of the Temporal
// server under which a cluster's workers run.
//
// It starts, follows, lists and cancels the workflows of package contract and
// reads the catalog through the Catalog workflow's Update. It holds no cloud and
// no cluster credentials and knows no bucket; files come by signed URL (package
// fetch). Errors are translated here, once: callers branch on the sentinels and
// on *RunError, and never see a Temporal type.
package engine
