// Package restore holds what every step of a restore works with, and its first and last
// step.
//
//   - run.go, open.go: Service has the dependencies; Open finds the backup and opens it;
//     Run is a restore in progress as later steps read it from staging.
//   - volumeplan.go, restorers.go, volumerules.go, volumeinfo.go: the plan for volumes, the
//     drivers that carry it out, and what rules and results say of it.
//   - record.go, included.go, lookup.go: what became of objects, and which belong to the
//     restore.
//   - finish.go: the results, and the end of a restore that was abandoned.
//
// The packages below are its steps: selection chooses objects, volumes decides on claims
// and volumes and makes them, apply writes objects, hooks runs commands in restored pods.
// They import this package and not each other; package activities strings them together.
//
// Every step may repeat. Documents in staging are read by workers of other versions
// while a cluster is upgraded: their JSON only ever grows.
package restore
