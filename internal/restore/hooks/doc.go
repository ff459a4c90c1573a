// Package hooks runs the hooks of restored pods: in each container as soon as it is up, in
// order, in many pods at a time. What became of a hook is in staging before the next one
// begins, so that a retry goes on where the last attempt ended.
package hooks
