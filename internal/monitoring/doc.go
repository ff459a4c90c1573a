// Package monitoring shows the state of a cluster's backups as gauges.
//
//   - state.go: what the bucket says, read anew; it holds nothing that is not there, so that a
//     worker that was started anew shows what the one before did.
//   - gauges.go: the instruments, which show the state that was read last.
//   - keeper.go: when it is read.
//
// All that is about time is the time of an event, in Unix seconds: an age would go on growing
// only as long as somebody computes it. Labels are names of schedules and locations, which an
// operator gives, and words of this code: none is the name of a backup or an object.
package monitoring
