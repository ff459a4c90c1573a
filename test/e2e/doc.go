// Package e2e holds the product to its promises from the outside: the real
// programs against a real API server with its controllers, a real object store and
// a real Temporal server. Tests compare outcomes: objects before and after, the
// names in an archive, what stands in the bucket, what a person reads.
//
// All tests share one stack. Those that look at the whole cluster or change what belongs
// to all are not parallel: they run before those that are. A test that looks at the whole
// bucket has a Lifeboat of its own; the others share that of cluster "e2e".
package e2e
