// Package apply brings the objects of a restore into the cluster: task by task, in batches
// that a retry resumes at.
//
//   - apply.go: a task, its batches, and the two attempts at each object.
//   - object.go: the way of one object: transform, decide, send.
//   - transform.go: what the restore wants of a stored object, or why nothing; pure.
//   - clash.go: where namespaces are merged, which of two objects of a name is wanted; pure.
//   - decide.go: what to do about what is in the cluster already; pure.
//   - send.go: the calls to the API server; outcome.go: what became of the object, and its
//     record. In a dry run the record says what would become of it.
//   - namespaces.go, terminating.go: what is made, or waited for, on the way.
//   - obstacle.go, waiting.go: what keeps objects out for a while and is no fault of theirs,
//     and the objects that wait for it until the end of their task.
//   - crds.go: definitions are waited for, between two levels.
//   - relink.go, ownerlink.go: objects get their owners back, when these have their new uids.
//
// An object that an earlier attempt created is recognised and counted as created.
package apply
