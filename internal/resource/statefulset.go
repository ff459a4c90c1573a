package resource

// restoreStatefulSet removes what the server wrote into the claim templates:
// their status and empty creation times are noise in every later comparison.
func restoreStatefulSet(_ *Context, obj map[string]any, _ *Outcome) error {
	for _, template := range objects(child(obj, "spec"), "volumeClaimTemplates") {
		delete(template, "status")
		delete(child(template, "metadata"), "creationTimestamp")
	}
	return nil
}
