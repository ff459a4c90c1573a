// Package rehearsal proves a backup without touching the cluster: all of it is restored into a
// disposable control plane, by the very steps of a restore, and compared object by object with
// what the backup holds. The levels are those of package contract.
//
//   - service.go: what a rehearsal depends on; one runs at a time.
//   - rehearse.go: the phases of a rehearsal, and what ends it early.
//   - restore.go: a restore in this process, whose staging is in memory.
//   - compare.go, differences.go, live.go: each object of the backup against the restored one.
//   - account.go: what became of each; the counts and the problems.
//   - services.go: the addresses that the backed-up cluster gave to Services.
//   - plan.go: which backups are to be rehearsed.
//
// Nothing is written but the result, and that only into a location of Lifeboat's own backups
// that may be written to.
package rehearsal
