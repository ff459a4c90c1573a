package resource

import (
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

const (
	textSnapshotsOff = "volumes are not restored (restorePVs: false)"
	textTaken        = "the backup took it of a claim, which brings what it needs of it"
)

// IsSnapshotType tells the types of volume snapshots. Their definitions come with an add-on of the cluster,
// and not with a backup of volumes.
func IsSnapshotType(gr string) bool {
	_, group, _ := strings.Cut(gr, ".")
	return group == "snapshot.storage.k8s.io" || group == "groupsnapshot.storage.k8s.io"
}

// restoreSnapshotContent binds a content to the snapshot that exists already. As
// stored, a dynamic content would have a new snapshot taken of a volume that may
// be gone. Retain protects the snapshot from whoever deletes the restored object.
func restoreSnapshotContent(c *Context, obj map[string]any, out *Outcome) error {
	spec := child(obj, "spec")
	handle := str(child(obj, "status"), "snapshotHandle")
	if handle == "" {
		handle = str(child(spec, "source"), "snapshotHandle")
	}
	if c.SkipVolumes {
		out.setSkip(report.VolumeSkipped, textSnapshotsOff)
		return nil
	}
	of := child(spec, "volumeSnapshotRef")
	if c.isTakenSnapshot(str(of, "namespace"), str(of, "name")) {
		out.setSkip(report.SnapshotOfClaim, textTaken)
		return nil
	}
	// Contents pass every filter, because a snapshot may need them; without it nothing would use
	// this one, and nothing would ever remove it.
	if c.Has != nil && !c.Has(VolumeSnapshots, str(of, "namespace"), str(of, "name")) {
		out.setSkip(report.VolumeSkipped, "the VolumeSnapshot that it is bound to is not part of the restore")
		return nil
	}
	if handle == "" || spec == nil {
		out.setSkip(report.VolumeSkipped, "no snapshot handle is known: the snapshot was not complete when it was backed up")
		return nil
	}
	spec["source"] = map[string]any{"snapshotHandle": handle}
	spec["deletionPolicy"] = "Retain"
	drop(of, "uid", "resourceVersion")
	c.mapField(of, "namespace")
	return nil
}

// restoreSnapshot binds a snapshot to its restored content, as a snapshot made
// from a claim would be taken anew of today's data under yesterday's name.
func restoreSnapshot(c *Context, obj map[string]any, out *Outcome) error {
	spec := child(obj, "spec")
	content := snapshotContent(obj)
	if c.SkipVolumes {
		out.setSkip(report.VolumeSkipped, textSnapshotsOff)
		return nil
	}
	if c.isTakenSnapshot(namespace(obj), name(obj)) {
		out.setSkip(report.SnapshotOfClaim, textTaken)
		return nil
	}
	if content == "" || spec == nil {
		out.setSkip(report.VolumeSkipped, "the snapshot was not bound to a content when it was backed up")
		return nil
	}
	spec["source"] = map[string]any{"volumeSnapshotContentName": content}
	return nil
}

// snapshotContent is the name of the content that a snapshot is bound to.
func snapshotContent(obj map[string]any) string {
	if content := str(child(obj, "status"), "boundVolumeSnapshotContentName"); content != "" {
		return content
	}
	return str(walk(obj, "spec", "source"), "volumeSnapshotContentName")
}
