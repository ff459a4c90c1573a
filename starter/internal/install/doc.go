// Package install prints the manifests of the chart for clusters that are not managed with Helm.
//
// Helm's own engine would make this program half as large again, for it brings the whole client
// of Kubernetes. The chart needs twenty of its functions, which are here, and a test holds what is
// rendered against Helm's output.
package install
