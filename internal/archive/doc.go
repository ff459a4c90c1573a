// Package archive is the on-store format: the seekable tarball, its index and the
// manifest. Package layout has their names in the bucket.
//
// A backup's tarball is an ordinary Velero tarball (tar in gzip) that is made
// of many gzip members. Each *member* holds whole tar entries of a few objects
// and can be read and decompressed alone. An *index block* lists the objects of
// one member; the *directory* lists the members; the *manifest* lists the files
// and is the root of integrity. A *chunk* is some 8 MiB of whole members, the
// unit in which exports are staged before the tarball is composed from them.
//
// The package is pure: it reads through Source and writes through a callback.
// docs/FORMAT.md specifies the bytes.
package archive
