// Package seal makes the files of a backup out of its staged chunks and reads them back.
//
// Backup composes the tarball and its index and writes the manifest (seal.go), and Velero's
// files beside them (files.go). Verify checks every stored byte against the manifest. Neither
// makes the backup exist: only its Commit does.
package seal
