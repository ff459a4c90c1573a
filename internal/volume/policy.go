package volume

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// action is what a policy wants to be done.
type action string

const (
	actionNone     action = "" // no policy matches
	actionSkip     action = "skip"
	actionSnapshot action = "snapshot"
	actionFiles    action = "fs-backup"
	actionCustom   action = "custom"
)

// policy is an action and the volumes it is for. A policy without conditions is for
// all.
type policy struct {
	conditions conditions
	action     action
}

// conditions all have to hold. One that is not stated holds.
type conditions struct {
	capacity sizes
	classes  []string
	nfs      *nfsSource
	csi      *csiSource
	types    []string
	labels   map[string]string
	phases   []string
	mode     string
	modes    []string // the claim's access modes, all of them and no others
}

// sizes are a range of capacities; zero is open.
type sizes struct{ low, high resource.Quantity }

type nfsSource struct{ server, path string }

type csiSource struct {
	driver     string
	attributes map[string]string
}

// subject is what policies are asked about. What is not known is empty, and does
// not meet a condition on it: a claim without a volume has no capacity and no class.
type subject struct {
	capacity resource.Quantity
	class    string
	nfs      *nfsSource
	csi      *csiSource
	kind     string // volumeTypes
	labels   map[string]string
	phase    string
	mode     string
	modes    []string
}

// match is the action of the first policy that matches; a nil receiver has none.
func (p *Policies) match(s *subject) action {
	if p == nil {
		return actionNone
	}
	for i := range p.volumes {
		if p.volumes[i].conditions.hold(s) {
			return p.volumes[i].action
		}
	}
	return actionNone
}

func (c *conditions) hold(s *subject) bool {
	return c.capacity.hold(s.capacity) &&
		(len(c.classes) == 0 || s.class != "" && slices.Contains(c.classes, s.class)) &&
		(c.nfs == nil || c.nfs.hold(s.nfs)) &&
		(c.csi == nil || c.csi.hold(s.csi)) &&
		(len(c.types) == 0 || slices.Contains(c.types, s.kind)) &&
		contains(s.labels, c.labels) &&
		(len(c.phases) == 0 || slices.Contains(c.phases, s.phase)) &&
		(c.mode == "" || c.mode == s.mode) &&
		(len(c.modes) == 0 || sameSet(c.modes, s.modes))
}

func (c sizes) hold(q resource.Quantity) bool {
	return (c.low.IsZero() || c.low.Cmp(q) <= 0) && (c.high.IsZero() || c.high.Cmp(q) >= 0)
}

func (c *nfsSource) hold(s *nfsSource) bool {
	return s != nil && (c.server == "" || c.server == s.server) && (c.path == "" || c.path == s.path)
}

func (c *csiSource) hold(s *csiSource) bool {
	return s != nil && (c.driver == "" || c.driver == s.driver) && contains(s.attributes, c.attributes)
}

// contains says whether m has every entry of part.
func contains(m, part map[string]string) bool {
	for k, v := range part {
		if have, ok := m[k]; !ok || have != v {
			return false
		}
	}
	return true
}

func sameSet(a, b []string) bool {
	within := func(x, y []string) bool {
		return !slices.ContainsFunc(x, func(s string) bool { return !slices.Contains(y, s) })
	}
	return within(a, b) && within(b, a)
}

// subjectOf describes a volume and its claim; either may be nil.
func subjectOf(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) *subject {
	s := &subject{}
	if pv != nil {
		s.capacity, s.class = *pv.Spec.Capacity.Storage(), pv.Spec.StorageClassName
		s.kind = sourceType(pv.Spec.PersistentVolumeSource)
		s.sources(pv.Spec.NFS, nil)
		if c := pv.Spec.CSI; c != nil {
			s.csi = &csiSource{c.Driver, c.VolumeAttributes}
		}
	}
	s.claim(claim)
	return s
}

func (s *subject) claim(claim *corev1.PersistentVolumeClaim) {
	if claim == nil {
		return
	}
	s.labels, s.phase = claim.Labels, string(claim.Status.Phase)
	if claim.Spec.VolumeMode != nil {
		s.mode = string(*claim.Spec.VolumeMode)
	}
	for _, m := range claim.Spec.AccessModes {
		s.modes = append(s.modes, string(m))
	}
}

// subjectOfPod describes a volume that a pod has without a claim.
func subjectOfPod(v *corev1.Volume) *subject {
	s := &subject{kind: sourceType(v.VolumeSource)}
	s.sources(v.NFS, v.CSI)
	return s
}

func (s *subject) sources(nfs *corev1.NFSVolumeSource, csi *corev1.CSIVolumeSource) {
	if nfs != nil {
		s.nfs = &nfsSource{nfs.Server, nfs.Path}
	}
	if csi != nil {
		s.csi = &csiSource{csi.Driver, csi.VolumeAttributes}
	}
}
