// Package interop proves, on real components, that Lifeboat and Velero read each
// other's backups and select the same objects for the same spec. Its tests start
// a Velero server beside a Lifeboat worker, both on one bucket and prefix.
package interop
