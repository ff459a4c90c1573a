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
// hang together, batches of one method for volumes that need no quiescing, batches of
// pods that have hooks and no volumes. hooked is by "namespace/name".
func unitsOf(all volume.Technologies, made volume.Plan, hooked map[string]PodHooks) []Unit {
	left := maps.Clone(hooked)
	loose := map[volume.Method][][]int{}
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
			loose[method] = append(loose[method], group)
		}
	}
	return slices.Concat(out, looseUnits(all, loose), podUnits(left))
}

// SplitByMethod sorts volumes by their method.
func SplitByMethod(all []volume.Volume, indexes []int) map[volume.Method][]int {
	out := map[volume.Method][]int{}
	for _, i := range indexes {
		out[all[i].Method] = append(out[all[i].Method], i)
	}
	return out
}

func looseUnits(all volume.Technologies, loose map[volume.Method][][]int) []Unit {
	var out []Unit
	for _, t := range slices.Backward(all) { // the cluster's own controllers, which are last, need longest
		var unit Unit
		n := 0
		for _, group := range loose[t.Method] {
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
