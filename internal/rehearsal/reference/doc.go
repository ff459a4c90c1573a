// Package reference finds in a backup what would keep a restore of it from working, without
// an API server: names of objects that are not there, and what no API server would take. It is
// pure.
//
//   - finding.go: the codes, what they weigh and what to do about them.
//   - checker.go: the two passes, over the index and over the objects.
//   - pod.go, config.go, access.go, extension.go: what objects of a kind name; one function a
//     kind, one line in kinds.
//   - content.go: what an object must be by itself.
//
// A name that is missing is a warning: the cluster that is restored into may have it. What
// every cluster has by itself is never missing.
package reference
