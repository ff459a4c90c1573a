// Package e2e holds the product to its promises from the outside: the real
// programs against a real API server with its controllers, a real object store and
// a real Temporal server. Tests compare outcomes: objects before and after, the
// names in an archive, what stands in the bucket, what a person reads.
//
// All tests share one stack and most of them one worker, that of cluster "e2e";
// each makes namespaces of its own, and nothing here runs beside another test that
// looks at cluster-scoped objects.
package e2e
