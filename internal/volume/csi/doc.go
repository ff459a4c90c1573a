// Package csi keeps the data of volumes as snapshots of CSI drivers: VolumeSnapshots and
// their contents in the cluster, handles at the provider. It has the three capabilities of a
// volume driver.
//
//   - Snapshots takes them: snapshotter.go, quota.go (capacity), status.go, retain.go and
//     ec2.go (what outlives the cluster's objects, and whether it exists), discard.go.
//   - Restorer has storage classes fill claims from them: check.go and handles.go before the
//     first write, probe.go where only the driver can tell, fill.go (the objects of a claim
//     and what is wrong with them), sweep.go.
//   - Deleter has the drivers delete them: delete.go, placeholder.go, placeholderawait.go.
//
// content.go reads what VolumeSnapshotContents say.
package csi
