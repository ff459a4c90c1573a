// Package store keeps objects in S3 and in stores that speak S3's protocol.
//
// A Store is one backup storage location: a bucket and a prefix. Keys are
// relative to the prefix, use "/" between segments and never begin with it.
// Everything above this package is written against the Store interface; the
// suite in storetest says what any implementation must do.
//
// Three properties carry the rest of the program:
//
//   - a write with PutOptions.IfAbsent has exactly one winner, also among
//     racing writers, where the store has conditional writes (Conditional
//     tells); elsewhere it is a check followed by a write;
//   - Compose builds a large object out of stored ones without moving their
//     bytes through the caller;
//   - every failure matches one of the sentinel errors of this package with
//     errors.Is, so callers branch on what happened and not on a vendor's code.
//
// This is the only package that imports the S3 SDK.
package store
