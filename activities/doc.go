// Package activities is the edge between Temporal and the use cases: one file a workflow,
// as in package workflows, one method an activity. A method decodes its input, calls the
// use case below internal/ and returns; what it needs of Temporal (the attempt's number,
// heartbeats) it hands in.
//
// The contract of every activity:
//
//   - It is idempotent. Names, keys and labels derive from the run's UID, so that a
//     retry finds what the first try made instead of making a second.
//   - It heartbeats while it runs, and resumes at the watermark of its last heartbeat.
//   - Its result counts and refers; lists, bodies, logs and reasons lie in staging.
//   - Its errors are typed once, in register.go, as the last thing before it returns.
package activities
