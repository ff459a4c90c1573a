// Package resource knows the Kubernetes kinds that need care when they are
// backed up, restored or compared with a live object. It is pure: objects are
// decoded JSON (map[string]any), and no rule does I/O.
package resource
