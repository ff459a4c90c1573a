// Package interceptor is what stands around every run and activity of a worker: spans
// (tracer.go), metrics and log lines (runs.go, instruments.go), and the end of what a stopping
// worker still does (handover.go). It changes nothing of what a run does: no command, no input,
// no result, so that histories replay with it and without.
package interceptor
