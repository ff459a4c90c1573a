// Package volumes decides what becomes of the claims and volumes of a restore, before
// anything is written (plan.go, inspect.go, classes.go), has volume drivers check, probe,
// make disks and clean up (plan.go, provision.go), and watches restored claims until they
// are bound (claims.go, wait.go, pods.go, patch.go). It asks for no technology: what
// differs between them is behind volume.Restorer.
package volumes
