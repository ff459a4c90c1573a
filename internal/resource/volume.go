package resource

// restoreVolume restores a PersistentVolume only where it is to point at the
// same disk; its claimRef then names the claim but no longer its uid, so that
// the restored claim binds to it.
func restoreVolume(c *Context, obj map[string]any, out *Outcome) error {
	spec := child(obj, "spec")
	if c.fate(name(obj), reclaimFate(spec)) == FateDynamic {
		out.skip(CodeVolumeDynamic, "its claim gets a new volume from its storage class")
	}
	dropAnnotations(obj, annotationBindCompleted, annotationBoundBy)
	claim := child(spec, "claimRef")
	drop(claim, "uid", "resourceVersion")
	c.mapField(claim, "namespace")
	return nil
}

// reclaimFate is the fate where no planner decided: the disk of a volume with
// reclaim policy Delete may be gone with the cluster, others survive it.
func reclaimFate(spec map[string]any) Fate {
	if str(spec, "persistentVolumeReclaimPolicy") == "Delete" {
		return FateDynamic
	}
	return FateKeep
}
