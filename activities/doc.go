// Package activities does all the I/O of the workflows: one file a phase, methods
// on small structs of dependencies.
//
// The contract of every activity:
//
//   - It is idempotent. Names, keys and labels derive from the run's UID, so that a
//     retry finds what the first try made instead of making a second.
//   - It heartbeats (Pulse) and resumes at the watermark of its last heartbeat.
//   - Its result counts and refers; lists, bodies, logs and reasons lie in staging.
//   - Its errors are typed once, in errors.go, as the last thing before it returns.
package activities
