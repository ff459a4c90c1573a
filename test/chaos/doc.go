// Package chaos proves that a run cannot be killed: the real worker, on real
// components, is killed, stopped, cut off, throttled and cancelled at every place
// that matters, and what stands in the bucket and in the cluster afterwards is held
// against an undisturbed run.
//
// A Proxy stands before the object store and before the API server. It names each
// request in a way that does not change between runs, so that "after the server
// answered the second PUT of a chunk, before the worker knew" is a place that a test
// can name, and lets the test act there.
package chaos
