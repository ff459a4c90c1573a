// Package images builds the container images of the stack's real node from
// scratch: nothing is pulled and no Docker is needed. An image is a folder with a
// root file system, written as an archive that containerd imports.
//
// The package imports the standard library only.
package images
