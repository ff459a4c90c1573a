// Package snapshot takes the snapshots of a backup's volumes, unit by unit, and ends them.
//
// TakeUnit quiesces the pods of a unit and takes its snapshots (unit.go, retry.go). Check
// and Finish follow them until they are complete (finish.go). Abandon deletes those of a
// backup that will not be (abandon.go).
//
// A volume that cannot be snapshotted is a reason in the result and never the end of the
// backup: the objects are worth having without it.
package snapshot
