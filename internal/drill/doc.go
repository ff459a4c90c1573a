// Package drill restores a backup beside its original, proves what can be proven of the copy,
// takes it away again and writes down what was found, signed (docs/DRILLS.md).
//
//   - prepare.go, pick.go: what is drilled, and of which backup.
//   - isolate.go: the namespaces of the copy, closed before anything is in them.
//   - bytes.go, account.go, ready.go (with package readiness), assert.go: the levels, L0 to L5.
//   - control.go: faults that are planted in the copy, which the same checks have to find.
//   - remains.go: what is there of a drill, and its removal.
//   - statement.go, sign.go: the evidence, and the chain that it is part of.
//
// The restore itself is that of packages restore and below, told to isolate. Nothing here knows
// Temporal: the workflow RestoreDrill strings the steps together.
package drill
