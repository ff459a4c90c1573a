// Package volumes decides what becomes of the claims and volumes of a restore, before
// anything is written (plan.go, decide.go, inspect.go, classes.go), makes EBS volumes of
// native snapshots (disk.go, zone.go, make.go), has CSI drivers look for their snapshots
// (snapshot.go, handles.go, probe.go), watches restored claims until they are bound
// (claims.go, wait.go, patch.go) and deletes what no object uses (sweep.go).
package volumes
