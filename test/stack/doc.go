// Package stack runs the real components that Lifeboat works with, on loopback,
// without root and without Docker: etcd, kube-apiserver, kube-controller-manager,
// an S3 server with versioning and a Temporal dev server with its UI; on demand
// also kube-scheduler with kwok (Pods become Ready), the snapshot controller,
// simulated EBS volumes with their CSI driver (Options.EBS) and a real Velero server
// as the peer.
//
// Each component is pinned in a nested module under tools/, built once into a
// cache outside the checkout (see Build), and started on free ports (see Start).
// What runs is recorded in state.json in the stack's directory, so that another
// process can use it (Attach) and stop it (Stop), also after the starter crashed.
//
// Tests use Run for a stack of their own, or Shared for one that `stack up` left
// running. The package imports the standard library and the simulator, which
// does the same, so that a test binary which uses it stays light.
package stack
