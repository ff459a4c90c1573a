package isolation

import "slices"

// editClaimTemplates is for the claims that a StatefulSet makes.
func (e *editor) editClaimTemplates(spec map[string]any) {
	eachObject(spec, "spec", "volumeClaimTemplates", func(claim map[string]any, path string) {
		e.editMetadata(child(claim, "metadata"), path+".metadata")
		e.editClaim(child(claim, "spec"), path+".spec")
	})
}

// editClaim lets a claim bind no volume but those of the drill: not by name, not by labels,
// and not by having no class, which binds what an administrator has put there.
func (e *editor) editClaim(spec map[string]any, path string) {
	owned := func(resource, name string) bool { return e.rules.Owned != nil && e.rules.Owned(resource, name) }
	volume := text(spec, "volumeName")
	if volume != "" && owned("persistentvolumes", volume) {
		return
	}
	before := len(e.changes)
	e.drop(RuleVolume, spec, path, "volumeName", "selector")
	if class, there := spec["storageClassName"]; there && class == "" {
		e.drop(RuleVolume, spec, path, "storageClassName")
	}
	for _, field := range []string{"dataSource", "dataSourceRef"} {
		if source := child(spec, field); source != nil && !isOwnSource(source) {
			e.drop(RuleVolume, spec, path, field)
		}
	}
	e.emptyVolume = e.emptyVolume || len(e.changes) > before
}

// editMountOptions lets a node mount a copy of an XFS file system beside its original.
func (e *editor) editMountOptions(spec map[string]any) {
	const field, nouuid = "mountOptions", "nouuid"
	options := list(spec, field)
	isXFS := text(child(spec, "csi"), "fsType") == "xfs" || text(child(spec, "awsElasticBlockStore"), "fsType") == "xfs"
	if isXFS && !slices.Contains(options, any(nouuid)) {
		e.set(RuleXFS, spec, "spec", field, append(slices.Clone(options), nouuid))
	}
}

// isOwnSource reports whether a claim is filled from a claim or snapshot of its own namespace.
func isOwnSource(source map[string]any) bool {
	if text(source, "namespace") != "" {
		return false
	}
	switch text(source, "apiGroup") {
	case "", "snapshot.storage.k8s.io":
		return true
	}
	return false
}

// editVolumes gives a pod empty volumes in the place of files of the node, of servers and of
// drivers that no claim stands between.
func (e *editor) editVolumes(spec map[string]any, path string) {
	eachObject(spec, path, "volumes", func(v map[string]any, path string) {
		for kind, source := range v {
			switch kind {
			case "name", "configMap", "secret", "emptyDir", "downwardAPI", "persistentVolumeClaim", "image":
			case "projected":
				e.editProjected(child(v, "projected"), path+".projected")
			case "ephemeral":
				e.editClaim(child(child(child(v, "ephemeral"), "volumeClaimTemplate"), "spec"), path+".ephemeral.volumeClaimTemplate.spec")
			default:
				e.emptyPodVolume(v, path, kind, source)
			}
		}
	})
}

func (e *editor) emptyPodVolume(v map[string]any, path, kind string, source any) {
	rule := RuleVolume
	if kind == "hostPath" {
		rule = RuleNode
	}
	delete(v, kind)
	v["emptyDir"] = map[string]any{}
	e.note(rule, path+"."+kind, source, "emptyDir")
	e.emptyVolume = true
}

// editProjected takes tokens away that are made for others than the API server: cloud
// accounts exchange them for roles.
func (e *editor) editProjected(projected map[string]any, path string) {
	e.keepItems(RuleIdentity, projected, path, "sources", func(item any) bool {
		source, _ := item.(map[string]any)
		return text(child(source, "serviceAccountToken"), "audience") == ""
	})
}
