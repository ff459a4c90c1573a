package native

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// labelCompute tells nodes that can mount no EBS volume.
const (
	labelCompute   = "eks.amazonaws.com/compute-type"
	computeFargate = "fargate"
)

// nodeZones are the zones of nodes that can mount a volume, sorted.
func nodeZones(nodes []corev1.Node) []string {
	var zones []string
	for _, n := range nodes {
		zone := cmp.Or(n.Labels[corev1.LabelTopologyZone], n.Labels[corev1.LabelFailureDomainBetaZone])
		if zone != "" && n.DeletionTimestamp == nil && n.Labels[labelCompute] != computeFargate {
			zones = append(zones, zone)
		}
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}

// chooseZones chooses a zone for each volume: its old one if there are nodes, else,
// for all volumes of its group together, the one that has the fewest of this restore's
// volumes so far. groups[i] is the group of volume i; zones is sorted and not empty.
func chooseZones(old []string, groups []int, zones []string) []string {
	out := make([]string, len(old))
	load := map[string]int{}
	chosen := map[int]string{}
	for i, zone := range old {
		if slices.Contains(zones, zone) {
			out[i], chosen[groups[i]] = zone, zone
			load[zone]++
		}
	}
	for i := range old {
		if out[i] != "" {
			continue
		}
		zone, ok := chosen[groups[i]]
		if !ok {
			zone = slices.MinFunc(zones, func(a, b string) int { return cmp.Compare(load[a], load[b]) })
			chosen[groups[i]] = zone
		}
		out[i] = zone
		load[zone]++
	}
	return out
}

// groupByPods numbers the sets of volumes that pods of the backup mount together: a pod
// whose volumes are in two zones cannot run. Where every volume keeps its zone, pods
// are not read.
func (c *checker) groupByPods(ctx context.Context, volumes []*volume.Restore, old, zones []string) ([]int, error) {
	out := make([]int, len(volumes))
	index := map[string]int{}
	for i, v := range volumes {
		out[i] = i
		index[v.ClaimKey()] = i
	}
	if !slices.ContainsFunc(old, func(z string) bool { return !slices.Contains(zones, z) }) {
		return out, nil
	}
	err := c.view.EachPod(ctx, func(pod corev1.Pod) { joinGroups(out, index, pod) })
	return out, err
}

// joinGroups makes one group of the groups whose volumes a pod mounts.
func joinGroups(groups []int, index map[string]int, pod corev1.Pod) {
	first := -1
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		i, ok := index[resource.ObjectName(pod.Namespace, v.PersistentVolumeClaim.ClaimName)]
		if !ok {
			continue
		}
		if first < 0 {
			first = groups[i]
		}
		from := groups[i]
		for k := range groups {
			if groups[k] == from {
				groups[k] = first
			}
		}
	}
}
