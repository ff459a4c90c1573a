package backup

import (
	"maps"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const (
	// looseVolumes bounds how many volumes without hooks share a unit. One worker's
	// limiter paces them best together; a lost worker repeats the look-ups of one
	// unit.
	looseVolumes = 500
	// loosePods bounds how many pods that have hooks and no volumes share a unit:
	// their hooks run at the same time.
	loosePods = 25
)

// unitsOf cuts the work into units: one for the volumes of pods with hooks that
// hang together, batches of one path for volumes that need no quiescing, batches of
// pods that have hooks and no volumes. hooked is by "namespace/name".
func unitsOf(made volume.Plan, hooked map[string]PodHooks) []Unit {
	left := maps.Clone(hooked)
	loose := map[volume.Path][][]int{}
	var out []Unit
	for _, u := range made.Units {
		unit := Unit{Groups: [][]int{u.Volumes}}
		for _, ref := range u.Pods {
			key := resource.ObjectName(ref.Namespace, ref.Name)
			if pod, ok := left[key]; ok {
				pod.Claims = ref.Claims
				unit.Pods = append(unit.Pods, pod)
				delete(left, key)
			}
		}
		if len(unit.Pods) > 0 {
			out = append(out, unit)
			continue
		}
		for path, group := range SplitByMethod(made.Volumes, u.Volumes) {
			loose[path] = append(loose[path], group)
		}
	}
	return slices.Concat(out, looseUnits(loose), podUnits(left))
}

// SplitByMethod sorts volumes by their path.
func SplitByMethod(all []volume.Volume, indexes []int) map[volume.Path][]int {
	out := map[volume.Path][]int{}
	for _, i := range indexes {
		out[all[i].Path] = append(out[all[i].Path], i)
	}
	return out
}

func looseUnits(loose map[volume.Path][][]int) []Unit {
	var out []Unit
	for _, t := range slices.Backward(technologies()) { // the cluster's own controllers, which are last, need longest
		var unit Unit
		n := 0
		for _, group := range loose[t.method] {
			if n > 0 && n+len(group) > looseVolumes {
				out, unit, n = append(out, unit), Unit{}, 0
			}
			unit.Groups = append(unit.Groups, group)
			n += len(group)
		}
		if n > 0 {
			out = append(out, unit)
		}
	}
	return out
}

func podUnits(pods map[string]PodHooks) []Unit {
	var all []PodHooks
	for _, key := range slices.Sorted(maps.Keys(pods)) {
		all = append(all, pods[key])
	}
	var out []Unit
	for batch := range slices.Chunk(all, loosePods) {
		out = append(out, Unit{Pods: batch})
	}
	return out
}
