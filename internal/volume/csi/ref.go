package csi

import (
	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// RefOf is the snapshot that a content stands for.
func RefOf(c *snapshotv1.VolumeSnapshotContent) volume.CSIRef {
	s := volume.CSIRef{Driver: c.Spec.Driver, Handle: SnapshotHandleOf(*c), Content: c.Name, Annotations: SecretAnnotationsOf(c.Annotations)}
	if c.Spec.VolumeSnapshotClassName != nil {
		s.Class = *c.Spec.VolumeSnapshotClassName
	}
	if c.Spec.SourceVolumeMode != nil {
		s.SourceMode = string(*c.Spec.SourceVolumeMode)
	}
	s.Group = GroupHandleOf(c)
	return s
}

// RefOfInfo is what volumeinfo says of a CSI snapshot. One whose data was moved was
// deleted by Velero when it had been.
func RefOfInfo(i volume.Info) (volume.CSIRef, bool) {
	if i.CSI == nil || i.SnapshotDataMoved || i.CSI.SnapshotHandle == "" || i.CSI.SnapshotHandle == volume.Unknown {
		return volume.CSIRef{}, false
	}
	return volume.CSIRef{Driver: i.CSI.Driver, Handle: i.CSI.SnapshotHandle, Content: i.CSI.VSCName, Group: i.CSI.GroupHandle}, true
}
