// Package awsconf loads the AWS SDK's configuration for a location of Velero's:
// region, and credentials from a Secret, a file, a profile or the environment.
//
// The object store and the volume snapshots have documents of their own, but
// name their credentials the same way; that way lives here once.
package awsconf
