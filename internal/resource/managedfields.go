package resource

// fieldOwnersToRestore returns the field owners that a second call has to write, or nil.
// A create keeps no entry of a server-side applier (tried on Kubernetes 1.36);
// without them a GitOps tool would fight over fields it owned. Objects without
// such entries need no second call. Entries of the status are left out unless
// the status is restored: they would own fields that are not there.
func fieldOwnersToRestore(meta map[string]any, withStatus bool) []any {
	entries := list(meta, "managedFields")
	if !hasServerSideApply(entries) {
		return nil
	}
	kept := make([]any, 0, len(entries))
	for _, entry := range entries {
		e, ok := entry.(map[string]any)
		if ok && (withStatus || str(e, "subresource") != "status") {
			kept = append(kept, e)
		}
	}
	if !hasServerSideApply(kept) {
		return nil
	}
	return kept
}

func hasServerSideApply(entries []any) bool {
	for _, entry := range entries {
		if e, ok := entry.(map[string]any); ok && str(e, "operation") == "Apply" {
			return true
		}
	}
	return false
}
