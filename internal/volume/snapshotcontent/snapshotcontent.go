// Package snapshotcontent reads what a VolumeSnapshotContent says of its snapshot, whether it is one of
// the cluster or one that a backup has stored.
package snapshotcontent

import (
	"strings"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// RefOf is the snapshot that a content stands for.
func RefOf(c *snapshotv1.VolumeSnapshotContent) volume.CSIRef {
	s := volume.CSIRef{Driver: c.Spec.Driver, Handle: HandleOf(*c), Content: c.Name, Annotations: SecretAnnotationsOf(c.Annotations)}
	if c.Spec.VolumeSnapshotClassName != nil {
		s.Class = *c.Spec.VolumeSnapshotClassName
	}
	if c.Spec.SourceVolumeMode != nil {
		s.SourceMode = string(*c.Spec.SourceVolumeMode)
	}
	s.Group = GroupHandleOf(c)
	return s
}

// HandleOf is a snapshot's id at its provider, "" while it is not known.
func HandleOf(c snapshotv1.VolumeSnapshotContent) string {
	if c.Status != nil && c.Status.SnapshotHandle != nil {
		return *c.Status.SnapshotHandle
	}
	if c.Spec.Source.SnapshotHandle != nil {
		return *c.Spec.Source.SnapshotHandle
	}
	return ""
}

// GroupHandleOf is the group snapshot that a content is a part of, "" for none.
func GroupHandleOf(c *snapshotv1.VolumeSnapshotContent) string {
	if c.Status == nil || c.Status.VolumeGroupSnapshotHandle == nil {
		return ""
	}
	return *c.Status.VolumeGroupSnapshotHandle
}

// SecretAnnotationsOf are the annotations by which a driver finds the secrets it needs.
func SecretAnnotationsOf(annotations map[string]string) map[string]string {
	var out map[string]string
	for key, value := range annotations {
		if strings.HasPrefix(key, "snapshot.storage.kubernetes.io/") && strings.Contains(key, "-secret-") {
			if out == nil {
				out = map[string]string{}
			}
			out[key] = value
		}
	}
	return out
}
