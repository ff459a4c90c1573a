// Package kube is Lifeboat's way to a Kubernetes API server: discovery,
// streaming lists, raw creates and patches. Commands in pods are in package exec;
// nothing else imports client-go.
//
// Objects cross this package as JSON bytes, never as maps or typed structs: a
// list is cut into items while it arrives (see jsonlist), a create sends the
// bytes it was given. client-go is used for what only it knows, that is
// kubeconfig, credentials and TLS; the requests are plain HTTP.
//
// How many requests are in flight is decided by one Limiter for each Client,
// from what the server shows (latency, 429), not by a fixed rate. Every call
// is tried again while that can help (429, 5xx, a lost connection), for at
// most Options.RetryFor; a create whose reply was lost may thus come back as
// AlreadyExists, which the caller has to judge. Errors carry the API server's
// status, for the functions of k8s.io/apimachinery/pkg/api/errors; those that it
// has no function for are IsUnavailable, IsTerminating and IsInvalid.
package kube
