package volume

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// HasEnded says that a pod's containers will not run again: nothing of it is mounted.
func HasEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// claimOf is the claim behind a pod's volume, "" if it has none.
func claimOf(pod *corev1.Pod, v *corev1.Volume) string {
	switch {
	case v.PersistentVolumeClaim != nil:
		return v.PersistentVolumeClaim.ClaimName
	case v.Ephemeral != nil:
		return pod.Name + "-" + v.Name // by the API's rule
	}
	return ""
}

// ClaimsOf are the claims that a pod mounts, sorted, each once.
func ClaimsOf(pod *corev1.Pod) []string {
	var out []string
	for i := range pod.Spec.Volumes {
		if claim := claimOf(pod, &pod.Spec.Volumes[i]); claim != "" {
			out = append(out, claim)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// makeUnits joins the volumes that are snapshotted by the pods that mount them and by
// their groups. Units are in the order of their first volumes.
func (p *planner) makeUnits() []Unit {
	sets := newSets(len(p.plan.Volumes))
	pods, groups := map[*corev1.Pod]int{}, map[string]int{}
	for i := range p.plan.Volumes {
		v := &p.plan.Volumes[i]
		if v.Method == MethodNone {
			continue
		}
		for _, pod := range p.pods[v.Namespace+"/"+v.Claim] {
			joinByKey(sets, pods, pod, i)
		}
		if v.Group != "" {
			joinByKey(sets, groups, v.Group, i)
		}
	}
	var out []Unit
	at := map[int]int{}
	for i := range p.plan.Volumes {
		if p.plan.Volumes[i].Method == MethodNone {
			continue
		}
		root := sets.findRoot(i)
		if _, ok := at[root]; !ok {
			at[root] = len(out)
			out = append(out, Unit{})
		}
		out[at[root]].Volumes = append(out[at[root]].Volumes, i)
	}
	for i := range out {
		out[i].Pods = p.podsOf(out[i].Volumes)
	}
	return out
}

// podsOf are the pods that mount one of the volumes, with the claims of those.
func (p *planner) podsOf(volumes []int) []PodRef {
	at := map[*corev1.Pod]int{}
	var out []PodRef
	for _, i := range volumes {
		v := &p.plan.Volumes[i]
		for _, pod := range p.pods[v.Namespace+"/"+v.Claim] {
			k, ok := at[pod]
			if !ok {
				k = len(out)
				at[pod] = k
				out = append(out, PodRef{Namespace: pod.Namespace, Name: pod.Name, Node: pod.Spec.NodeName})
			}
			out[k].Claims = append(out[k].Claims, v.Claim)
		}
	}
	slices.SortFunc(out, func(a, b PodRef) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// joinByKey puts i into the set of those that came with the same key.
func joinByKey[K comparable](s sets, seen map[K]int, key K, i int) {
	if first, ok := seen[key]; ok {
		s.uniteSets(first, i)
		return
	}
	seen[key] = i
}

// sets are disjoint sets of numbers; each names its parent.
type sets []int

func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func (s sets) findRoot(i int) int {
	for s[i] != i {
		s[i] = s[s[i]]
		i = s[i]
	}
	return i
}

func (s sets) uniteSets(a, b int) { s[s.findRoot(b)] = s.findRoot(a) }
