// Package controlplane starts disposable control planes: a kube-apiserver and its etcd, and
// nothing else. There are no controllers, no nodes and no network beyond loopback, the data
// is in memory, and all of it is gone with Stop, or with the process or the pod that started it.
//
//   - provider.go: what a provider does; controlplanetest is what any has to pass.
//   - processes.go: the two as processes beside the worker, from binaries that the
//     configuration names; arguments.go: how they are started.
//   - pods.go: the same two as a pod in the worker's namespace, from images; pod.go: its manifest.
//   - serving.go: how long a control plane is waited for.
//   - directory.go: where their files lie, and how those of a dead worker are found.
//   - certificates.go: what both trust, made anew for each control plane.
package controlplane
