// Package quiesce runs the backup hooks of the pods of a unit around its snapshots.
//
// A Quiescer is one attempt at a unit (quiescer.go, hook.go). It writes a journal to
// staging before the first command (journal.go), so that the next attempt can unquiesce
// the pods of a worker that was lost. A pod that was replaced since the plan is quiesced
// in place of the planned one (replacement.go).
//
// The pods are unquiesced whatever happens, and quiesced a bounded number of times.
package quiesce
