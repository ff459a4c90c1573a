// Package interop proves, on real components, that Lifeboat and Velero read each
// other's backups and select the same objects for the same spec. Its tests start
// a Velero server beside a Lifeboat worker, both on one bucket and prefix. Of other
// versions of Velero it has what their servers left in a bucket (testdata/velero); one more is made of
// a program that is linked with the flags of the stack's own (veleroVersion) by
//
//	LIFEBOAT_RECORD_VELERO=/path/to/velero go test -tags stack -run '^TestRecordBucket$' ./test/interop
package interop
