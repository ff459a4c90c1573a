// Package ebs speaks to EC2 about EBS volumes and their snapshots. It is the only
// importer of the EC2 SDK.
//
// A Location is one VolumeSnapshotLocation of Velero's: an account, a Region and
// credentials. Three properties carry the callers:
//
//   - whatever creates something can be called again after a crash, a timeout or
//     a lost answer, and then finds what the first call made. EC2 has no client
//     token for snapshots, so they carry the run's UID as a tag from the moment
//     they exist;
//   - nothing is deleted that does not carry the tags the caller names;
//   - the account's limits are not errors. Package quota, shared by everything in
//     the process that works in the same account and Region, keeps requests below
//     them, and a refusal that comes all the same, because somebody else works
//     there too, is waited out until the context ends.
//
// Every failure matches one of the package's sentinel errors with errors.Is.
package ebs
