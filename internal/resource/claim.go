package resource

const (
	annotationBindCompleted = "pv.kubernetes.io/bind-completed"
	annotationBoundBy       = "pv.kubernetes.io/bound-by-controller"
)

// claimAnnotations tell of a binding and a node of the old cluster, or are what
// Velero notes on a claim while it backs it up.
func claimAnnotations() []string {
	return []string{
		annotationBindCompleted, annotationBoundBy,
		"volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner",
		"volume.kubernetes.io/selected-node",
		"velero.io/volume-snapshot-name", "velero.io/data-upload-name",
		"backup.velero.io/skipped-no-csi-pv",
	}
}

// restoreClaim unbinds a PersistentVolumeClaim. It keeps volumeName only where
// its volume is restored as it was, and is then bound to it again.
func restoreClaim(c *Context, obj map[string]any, _ *Outcome) error {
	dropAnnotations(obj, claimAnnotations()...)
	spec := child(obj, "spec")
	if volume := str(spec, "volumeName"); volume != "" && c.fate(volume, FateDynamic) == FateDynamic {
		delete(spec, "volumeName")
	}
	return nil
}

// backupClaim forgets where a bound claim's content once came from: restored,
// its content comes from the backup. The selector goes unless the claim asked
// for no class at all, where it is what binds it. Labels that an earlier restore
// left would be mistaken for those of this backup.
func backupClaim(obj map[string]any) bool {
	spec := child(obj, "spec")
	if !boundClaim(obj) {
		return false
	}
	changed := drop(spec, "dataSource", "dataSourceRef")
	class, stated := spec["storageClassName"].(string)
	if !stated || class != "" {
		changed = drop(spec, "selector") || changed
	}
	return dropLabels(child(obj, "metadata"), LabelBackup, LabelRestore) || changed
}

func relatedToClaim(obj map[string]any) []Ref {
	if !boundClaim(obj) {
		return nil
	}
	return []Ref{{Resource: "persistentvolumes", Name: str(child(obj, "spec"), "volumeName")}}
}

func boundClaim(obj map[string]any) bool {
	return str(child(obj, "status"), "phase") == "Bound" && str(child(obj, "spec"), "volumeName") != ""
}
