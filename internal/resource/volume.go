package resource

import (
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// annotationOriginal is Velero's note of the name that a volume had in the backup.
const annotationOriginal = "velero.io/original-pv-name"

// restoreVolume restores a PersistentVolume only where it is to point at a disk that
// exists: the same one, or one that was made for it. Its claimRef then names the
// claim but no longer its uid, so that the restored claim binds to it.
func restoreVolume(c *Context, obj map[string]any, out *Outcome) error {
	spec := child(obj, "spec")
	switch disposition := c.dispositionOf(name(obj), dispositionByPolicy(spec)); {
	case disposition == volume.Dynamic:
		out.setSkip(report.VolumeDynamic, "its claim gets a new volume from its storage class")
	case disposition == volume.Leave:
		out.setSkip(report.VolumeLeft, "it or its claim is in the cluster already and is left alone")
	case disposition.Method() != "":
		if volume.IsOnOutpost(obj) {
			out.addWarning(report.VolumeMoved, "it was on an AWS Outpost, and what is made of its snapshot is in the Region: nodes of the Outpost cannot attach it")
		}
		if err := c.giveDisk(obj); err != nil {
			return err
		}
	}
	dropAnnotations(obj, annotationBindCompleted, annotationBoundBy)
	claim := child(spec, "claimRef")
	drop(claim, "uid", "resourceVersion")
	c.mapField(claim, "namespace")
	c.mapClass(spec, "storageClassName")
	c.mapClass(walk(obj, "metadata", "annotations"), annotationClass)
	return nil
}

// giveDisk points a volume at the disk that was made for it, in that disk's zone.
func (c *Context) giveDisk(obj map[string]any) error {
	if c.Disk == nil {
		return fmt.Errorf("no disk was made for it: %w", ErrInvalid)
	}
	disk, original := c.Disk(name(obj)), name(obj)
	if disk.ID == "" {
		return fmt.Errorf("no disk was made for it: %w", ErrInvalid)
	}
	if err := volume.SetVolumeID(obj, disk.ID, disk.Zone, disk.Driver); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	volume.SetZone(obj, disk.Zone)
	if disk.Name == "" || disk.Name == original {
		return nil
	}
	meta := child(obj, "metadata")
	meta["name"] = disk.Name
	annotations := child(meta, "annotations")
	if annotations == nil {
		annotations = map[string]any{}
		meta["annotations"] = annotations
	}
	annotations[annotationOriginal] = original
	return nil
}

// dispositionByPolicy is the disposition where no planner decided: the disk of a volume with
// reclaim policy Delete may be gone with the cluster, others survive it.
func dispositionByPolicy(spec map[string]any) volume.Disposition {
	if str(spec, "persistentVolumeReclaimPolicy") == "Delete" {
		return volume.Dynamic
	}
	return volume.Keep
}
