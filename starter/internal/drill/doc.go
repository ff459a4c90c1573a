// Package drill has the commands of `lifeboat drill`.
//
//   - run.go: drills that are started, and what is asked of one that runs.
//   - read.go: drills of the past, by the evidence in the bucket, as a worker tells it.
//   - verify.go, report.go, keygen.go: evidence in files. These ask nobody and work offline, also
//     where there is neither cluster nor Temporal.
package drill
