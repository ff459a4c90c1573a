package resource

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

// MergeServiceAccount returns the merge patch that adds to a live service
// account what the backup has and it lacks: secrets, imagePullSecrets, labels
// and annotations. What the live one has is never changed or removed. nil when
// nothing is missing. This holds under every existingResourcePolicy, because
// every namespace is born with a default service account.
func MergeServiceAccount(live, want map[string]any) map[string]any {
	patch := map[string]any{}
	for _, key := range []string{"secrets", "imagePullSecrets"} {
		if merged, grew := unionByName(list(live, key), list(want, key)); grew {
			patch[key] = merged
		}
	}
	meta := map[string]any{}
	for _, key := range []string{"labels", "annotations"} {
		if missing := missingEntries(walk(live, "metadata", key), walk(want, "metadata", key)); len(missing) > 0 {
			meta[key] = missing
		}
	}
	if onlyBackupLabels(meta) && len(patch) == 0 {
		return nil
	}
	patch["metadata"] = meta
	dropEmpty(patch, "metadata")
	return patch
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

func missingEntries(live, want map[string]any) map[string]any {
	missing := map[string]any{}
	for key, value := range want {
		if _, ok := live[key]; !ok {
			missing[key] = value
		}
	}
	return missing
}
