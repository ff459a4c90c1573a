// Package migrate makes Lifeboat's configuration of what a cluster has for Velero.
//
//   - command.go: `lifeboat migrate from-velero`.
//   - read.go: Velero's objects, of files or of kubectl.
//   - convert.go: what becomes of each, and what does not carry over. No I/O.
package migrate
