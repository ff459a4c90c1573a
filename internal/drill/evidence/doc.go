// Package evidence is what a drill leaves behind for somebody who was not there: an in-toto
// Statement v1 in a DSSE envelope, signed with Ed25519 (docs/EVIDENCE.md).
//
// A file has one form only. The payload is the Statement as encoding/json writes it, with
// what is empty left out; the envelope is one line. A reader encodes what it has decoded and
// compares: so a field that nobody knows, a key that stands there twice, other white space,
// other base64 and bytes behind the end are refused alike, and a file has one digest, by which
// the next drill names it.
//
// Statement.Check holds the contents against each other: counts add up, measured times are
// those of the phases, and a drill is passed only if nothing speaks against it. CheckChain
// looks for what is missing between files.
//
// The package does no I/O.
package evidence
