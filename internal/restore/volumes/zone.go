package volumes

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// labelCompute tells nodes that can mount no EBS volume.
const (
	labelCompute   = "eks.amazonaws.com/compute-type"
	computeFargate = "fargate"
)

// nodes lists the cluster's nodes, once.
func (p *volumePlanner) nodes(ctx context.Context) ([]corev1.Node, error) {
	if p.listed != nil {
		return p.listed, nil
	}
	nodes := []corev1.Node{}
	err := kube.List(ctx, p.r.Kube, kube.Nodes(), "", "", func(n corev1.Node) error {
		nodes = append(nodes, n)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	p.listed = nodes
	return nodes, nil
}

// nodeRegions are the regions that the nodes say they are in.
func nodeRegions(nodes []corev1.Node) map[string]bool {
	regions := map[string]bool{}
	for _, n := range nodes {
		if region := cmp.Or(n.Labels[corev1.LabelTopologyRegion], n.Labels[corev1.LabelFailureDomainBetaRegion]); region != "" {
			regions[region] = true
		}
	}
	return regions
}

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

// placeVolumes chooses a zone for each volume: its old one if there are nodes, else,
// for all volumes of its group together, the one that has the fewest of this restore's
// volumes so far. groups[i] is the group of volume i; zones is sorted and not empty.
func placeVolumes(old []string, groups []int, zones []string) []string {
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

// groups numbers the sets of volumes that pods of the backup mount together: a pod
// whose volumes are in two zones cannot run. Where every volume keeps its zone, pods
// are not read.
func (p *volumePlanner) groups(ctx context.Context, volumes []*restore.Volume, old, zones []string) ([]int, error) {
	out := make([]int, len(volumes))
	index := map[string]int{}
	for i, v := range volumes {
		out[i] = i
		index[resource.ObjectName(v.Namespace, v.Claim)] = i
	}
	if !slices.ContainsFunc(old, func(z string) bool { return !slices.Contains(zones, z) }) {
		return out, nil
	}
	err := repository.EachObject(ctx, p.s.Arc, "pods", func(pod corev1.Pod) { join(out, index, pod) })
	return out, err
}

// join makes one group of the groups whose volumes a pod mounts.
func join(groups []int, index map[string]int, pod corev1.Pod) {
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
