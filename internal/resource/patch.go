package resource

import "github.com/lifeboat-backup/lifeboat/internal/resource/compare"

// MergePatch is the JSON merge patch (RFC 7386) that turns a live object into
// want, which is an object after Restore; nil when nothing is to change. Of the
// metadata it touches labels and annotations only, and never the status. Fields
// that the kind's rule leaves to the cluster are not removed from the live
// object. The labels that name backup and restore are part of a patch but are
// no reason for one.
func (r *Registry) MergePatch(resource string, live, want map[string]any) map[string]any {
	base := r.withoutClusterFields(resource, live)
	patch := compare.MergePatch(bodyOf(base), bodyOf(want))
	compare.Prune(patch, live)
	meta := metadataPatch(child(base, "metadata"), child(want, "metadata"))
	if len(patch) == 0 && onlyBackupLabels(meta) {
		return nil
	}
	if len(meta) > 0 {
		patch["metadata"] = meta
	}
	return patch
}

// LabelsPatch is the patch that only says from which backup and restore an
// object comes, for an object that is equal already under policy update; nil
// when it says so.
func LabelsPatch(live, want map[string]any) map[string]any {
	labels := map[string]any{}
	for _, key := range []string{LabelBackup, LabelRestore} {
		if value := label(want, key); value != "" && value != label(live, key) {
			labels[key] = value
		}
	}
	if len(labels) == 0 {
		return nil
	}
	return map[string]any{"metadata": map[string]any{"labels": labels}}
}

// bodyOf is an object without what identifies it and what the server owns.
func bodyOf(obj map[string]any) map[string]any {
	out := make(map[string]any, len(obj))
	for key, value := range obj {
		switch key {
		case "metadata", "status", "apiVersion", "kind":
		default:
			out[key] = value
		}
	}
	return out
}

func metadataPatch(live, want map[string]any) map[string]any {
	meta := map[string]any{}
	for _, key := range []string{"labels", "annotations"} {
		changes := compare.MergePatch(child(live, key), child(want, key))
		for _, ours := range []string{LabelBackup, LabelRestore} {
			if changes[ours] == nil {
				delete(changes, ours) // want has none: not ours to remove
			}
		}
		if len(changes) > 0 {
			meta[key] = changes
		}
	}
	return meta
}
