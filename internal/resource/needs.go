package resource

// Need is a type of which objects are restored because others need them.
type Need struct {
	Resource   string // "plural.group"
	Namespaced bool
}

// needs is what objects of a type need of the backup when they are restored
// (docs/VELERO.md 7.5). A claim's volume is not among them: whether it comes
// back, and as what, is for the planner of volumes.
type needs struct {
	types []Need
	of    func(obj map[string]any) []Ref
}

// Dependencies maps the types whose objects need others to the types of those.
func (r *Registry) Dependencies() map[string][]Need {
	out := map[string][]Need{}
	for resource, k := range r.kinds {
		if len(k.needs.types) > 0 {
			out[resource] = k.needs.types
		}
	}
	return out
}

// Needs names the objects of the backup that a restored one needs.
func (r *Registry) Needs(resource string, obj map[string]any) []Ref {
	if of := r.kinds[resource].needs.of; of != nil {
		return of(obj)
	}
	return nil
}

func podNeeds() needs {
	return needs{
		types: []Need{{Resource: PersistentVolumeClaims, Namespaced: true}, {Resource: "priorityclasses.scheduling.k8s.io"}},
		of:    neededByPod,
	}
}

// neededByPod is nothing for a pod that is not restored: its claims would cost
// volumes that nobody mounts. The pod of a Job counts, for its Job makes another.
func neededByPod(obj map[string]any) []Ref {
	var out Outcome
	if skipPod(&Context{}, obj, &out); out.Skipped() {
		return nil
	}
	return relatedToPod(obj)
}

func snapshotNeeds() needs {
	return needs{types: []Need{{Resource: VolumeSnapshotContents}}, of: neededBySnapshot}
}

func neededBySnapshot(obj map[string]any) []Ref {
	content := snapshotContent(obj)
	if content == "" {
		return nil
	}
	return []Ref{{Resource: VolumeSnapshotContents, Name: content}}
}
