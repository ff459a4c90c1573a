// Package node holds the product to its promises about data: a kubelet and a
// container runtime run real Pods with real files, so that what a backup holds and a
// restore brings back is read by the programs that wrote it.
//
// It needs Linux and root, installs what is missing, and fails where it cannot run.
package node
