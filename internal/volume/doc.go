// Package volume decides how the data of each volume is backed up and how it comes back,
// and knows the files in which Velero records it. It is pure: everything it judges is read
// by the caller, and the same input gives the same plan. A technology by which data is kept
// is a Method; what it can do is a Snapshotter, a Restorer and a Deleter, each in a package
// below this one, and Technology is its line in the registry (package drivers).
//
//   - A backup: Make (make.go, decide.go, class.go, files.go, units.go), the resource
//     policies, Volume and Plan (plan.go).
//   - A restore: Facts are what a backup says, Decide gives each volume its Disposition
//     (disposition.go), Restore is what becomes of it (restore.go).
//   - Velero's files: info.go, inforead.go, native.go, record.go.
//
// Make looks at every claim and every PersistentVolume of a backup, in the order
// of docs/VELERO.md 6.1:
//
//  1. a resource policy that matches decides, before everything else;
//  2. a volume that file-level backup was asked for (annotation of a pod, or
//     defaultVolumesToFsBackup) is skipped with that reason: Lifeboat has no such
//     method yet;
//  3. snapshotVolumes: false skips the rest;
//  4. a claim on a CSI volume is kept by CSI snapshots, an EBS volume by native ones
//     where a VolumeSnapshotLocation is to be used;
//  5. what is left is skipped, with the reason.
//
// Decisions of our own, where Velero has a server flag or says nothing:
//
//   - A volume of ebs.csi.aws.com can be kept by both methods. It is native when the spec
//     names a VolumeSnapshotLocation. With none named it is CSI when the cluster
//     serves VolumeSnapshots and has a VolumeSnapshotClass of the driver, else
//     native when a location is configured.
//   - A class that an annotation of a claim names and that is missing, or is of
//     another driver, is an error of that volume. Velero quietly takes another.
//   - Several classes of a driver of which none is preferred, and a class of a
//     Backup annotation that does not fit, are errors of the backup: Make returns
//     them, so that nothing is written first. The plan is complete all the same.
//   - A claim without a storage class name is snapshotted: the driver of its
//     volume, not the class, says which VolumeSnapshotClass fits.
//   - A policy's volumeTypes, pvcPhase and pvcVolumeMode must be values that
//     exist. Velero accepts a mistyped one, which then matches nothing.
//   - File-level backup that was asked for by a pod that does not run is no reason
//     to go without a snapshot. A claim that is not bound is no error where
//     snapshotVolumes is false: nothing of it is missed. One that never had a volume is a warning: there
//     is no data yet.
//   - Volumes that the user left out (policy skip, snapshotVolumes: false) are
//     recorded without a warning. All others that are not snapshotted are warned
//     of, or are errors where the spec promised a snapshot.
package volume
