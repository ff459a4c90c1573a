// Package schedule keeps the schedules of a cluster: their definitions in the bucket, the
// schedules of Temporal that start their runs, and the record of what became of each due time.
//
//   - service.go: what it depends on.
//   - validate.go: what may be said in a definition.
//   - change.go: apply, pause, delete.
//   - compare.go: what a document says otherwise than what is stored.
//   - template.go: whose backups fail as things are.
//   - ensure.go: Temporal has the schedules that the bucket has.
//   - slot.go: a run decides for which due time it is, and records how it ended.
//   - turn.go: at most so many backups at a time, the oldest due time first.
//   - account.go: due times of which no run has told.
//   - status.go: what people are shown.
//
// Definitions lie in the default storage location. The bucket comes first: a definition is
// written before Temporal gets its schedule and removed before Temporal loses it, and a run
// that finds no definition takes no backup. Temporal holds nothing that is not made from the
// bucket, so that one that was lost is filled again.
package schedule
