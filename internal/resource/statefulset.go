package resource

// restoreStatefulSet removes what the server wrote into the claim templates:
// their status and empty creation times are noise in every later comparison.
//
// Their storage classes follow the mapping of classes.
func restoreStatefulSet(c *Context, obj map[string]any, _ *Outcome) error {
	for _, template := range objects(child(obj, "spec"), "volumeClaimTemplates") {
		delete(template, "status")
		meta := child(template, "metadata")
		delete(meta, "creationTimestamp")
		c.mapClass(child(template, "spec"), "storageClassName")
		c.mapClass(child(meta, "annotations"), annotationClass)
	}
	return nil
}
