package backup

import (
	"maps"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const (
	// maxVolumesInUnit bounds how many volumes without hooks share a unit. The limiter of one
	// worker paces them best together; a worker that takes a lost one's place repeats the
	// look-ups of a unit.
	maxVolumesInUnit = 500
	// maxPodsInUnit bounds how many pods that have hooks and no volumes share a unit, because
	// their hooks run at the same time.
	maxPodsInUnit = 25
)

// cutUnits cuts the work into units: one for all volumes that pods with hooks share,
// batches of one method for volumes that need no quiescing, batches of pods that have hooks
// and no volumes. podsWithHooks is by "namespace/name".
func cutUnits(all volume.Technologies, made volume.Plan, podsWithHooks map[string]PodHooks) []Unit {
	left := maps.Clone(podsWithHooks)
	unhooked := map[volume.Method][][]int{}
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
		for method, group := range SplitByMethod(made.Volumes, u.Volumes) {
			unhooked[method] = append(unhooked[method], group)
		}
	}
	return slices.Concat(out, unitsWithoutHooks(all, unhooked), unitsOfPods(left))
}

// SplitByMethod splits volumes by the method that keeps them.
func SplitByMethod(all []volume.Volume, indexes []int) map[volume.Method][]int {
	out := map[volume.Method][]int{}
	for _, i := range indexes {
		out[all[i].Method] = append(out[all[i].Method], i)
	}
	return out
}

// unitsWithoutHooks batches groups of volumes, by method. A group is never cut.
func unitsWithoutHooks(all volume.Technologies, unhooked map[volume.Method][][]int) []Unit {
	var out []Unit
	for _, t := range slices.Backward(all) { // the last technology comes first, because it takes longest
		var unit Unit
		n := 0
		for _, group := range unhooked[t.Method] {
			if n > 0 && n+len(group) > maxVolumesInUnit {
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

// unitsOfPods batches pods that have hooks and no volumes.
func unitsOfPods(pods map[string]PodHooks) []Unit {
	var all []PodHooks
	for _, key := range slices.Sorted(maps.Keys(pods)) {
		all = append(all, pods[key])
	}
	var out []Unit
	for batch := range slices.Chunk(all, maxPodsInUnit) {
		out = append(out, Unit{Pods: batch})
	}
	return out
}
