package resource

import (
	"maps"

	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// restoreServiceAccount drops the references to generated token Secrets: those
// are not restored.
func restoreServiceAccount(_ *Context, obj map[string]any, _ *Outcome) error {
	account := name(obj)
	keepItems(obj, "secrets", func(item any) bool {
		ref, _ := item.(map[string]any)
		return !generatedToken(account, str(ref, "name"))
	})
	return nil
}

// MergeServiceAccount returns the merge patch that adds to a live service account what the
// backup has and it lacks: secrets, imagePullSecrets, labels, annotations and whether pods
// get its token. With overwrite, the backup's values win where both have one; without, it
// says whether any differ. nil when nothing is missing. This holds under every
// existingResourcePolicy, because every namespace is born with a default service account.
func MergeServiceAccount(live, want map[string]any, overwrite bool) (patch map[string]any, differs bool) {
	patch = map[string]any{}
	for _, key := range []string{"secrets", "imagePullSecrets"} {
		if merged, grew := unionByName(list(live, key), list(want, key)); grew {
			patch[key] = merged
		}
	}
	const token = "automountServiceAccountToken"
	tokens, other := entriesToSet(map[string]any{token: live[token]}, map[string]any{token: want[token]}, overwrite)
	maps.Copy(patch, tokens)
	differs = other
	meta := map[string]any{}
	for _, key := range []string{"labels", "annotations"} {
		set, other := entriesToSet(walk(live, "metadata", key), walk(want, "metadata", key), overwrite)
		if len(set) > 0 {
			meta[key] = set
		}
		differs = differs || other
	}
	if onlyBackupLabels(meta) && len(patch) == 0 {
		return nil, differs
	}
	patch["metadata"] = meta
	dropEmpty(patch, "metadata")
	return patch, differs
}

// onlyBackupLabels says that a metadata patch does nothing but name the restore.
func onlyBackupLabels(meta map[string]any) bool {
	for key := range child(meta, "labels") {
		if key != LabelBackup && key != LabelRestore {
			return false
		}
	}
	return len(child(meta, "annotations")) == 0
}

func unionByName(live, want []any) (merged []any, grew bool) {
	have := map[string]bool{}
	for _, item := range live {
		ref, _ := item.(map[string]any)
		have[str(ref, "name")] = true
	}
	merged = append(merged, live...)
	for _, item := range want {
		ref, _ := item.(map[string]any)
		if refName := str(ref, "name"); refName != "" && !have[refName] {
			have[refName] = true
			merged, grew = append(merged, item), true
		}
	}
	return merged, grew
}

// entriesToSet are the entries of want that live lacks, with overwrite also those in which
// it differs; without, differs says that there are such. The labels of a restore are no
// difference.
func entriesToSet(live, want map[string]any, overwrite bool) (set map[string]any, differs bool) {
	set = map[string]any{}
	for key, value := range want {
		switch old := live[key]; {
		case value == nil, compare.Same(old, value):
		case old == nil, overwrite:
			set[key] = value
		case key != LabelBackup && key != LabelRestore:
			differs = true
		}
	}
	return set, differs
}
