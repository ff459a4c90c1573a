// Package migrate makes Lifeboat's configuration of what a cluster has for Velero.
//
//   - command.go: `lifeboat migrate from-velero`.
//   - read.go: Velero's objects, of files or of kubectl.
//   - convert.go: what becomes of each, and what does not carry over; schedules.go: schedules, and
//     the locations that they name; server.go: arguments and role of Velero's server. No I/O.
package migrate
