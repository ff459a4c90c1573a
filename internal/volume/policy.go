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
	Conditions conditions `yaml:"conditions"`
	Action     struct {
		Type       action         `yaml:"type"`
		Parameters map[string]any `yaml:"parameters"` // of plug-ins; none has a meaning here
	} `yaml:"action"`
}

// conditions all have to hold. One that is not stated holds.
type conditions struct {
	Capacity string            `yaml:"capacity"`
	Classes  []string          `yaml:"storageClass"`
	NFS      *nfsSource        `yaml:"nfs"`
	CSI      *csiSource        `yaml:"csi"`
	Types    []string          `yaml:"volumeTypes"`
	Labels   map[string]string `yaml:"pvcLabels"`
	Phases   []string          `yaml:"pvcPhase"`
	Mode     string            `yaml:"pvcVolumeMode"`
	Modes    []string          `yaml:"pvcAccessModes"` // the claim has all of them and no others

	sizes sizes // what Capacity says
}

// sizes are a range of capacities; zero is open.
type sizes struct{ low, high resource.Quantity }

type nfsSource struct {
	Server string `yaml:"server"`
	Path   string `yaml:"path"`
}

type csiSource struct {
	Driver     string            `yaml:"driver"`
	Attributes map[string]string `yaml:"volumeAttributes"`
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
		if p.volumes[i].Conditions.hold(s) {
			return p.volumes[i].Action.Type
		}
	}
	return actionNone
}

func (c *conditions) hold(s *subject) bool {
	return c.sizes.hold(s.capacity) &&
		(len(c.Classes) == 0 || s.class != "" && slices.Contains(c.Classes, s.class)) &&
		(c.NFS == nil || c.NFS.hold(s.nfs)) &&
		(c.CSI == nil || c.CSI.hold(s.csi)) &&
		(len(c.Types) == 0 || slices.Contains(c.Types, s.kind)) &&
		contains(s.labels, c.Labels) &&
		(len(c.Phases) == 0 || slices.Contains(c.Phases, s.phase)) &&
		(c.Mode == "" || c.Mode == s.mode) &&
		(len(c.Modes) == 0 || sameSet(c.Modes, s.modes))
}

func (c sizes) hold(q resource.Quantity) bool {
	return (c.low.IsZero() || c.low.Cmp(q) <= 0) && (c.high.IsZero() || c.high.Cmp(q) >= 0)
}

func (c *nfsSource) hold(s *nfsSource) bool {
	return s != nil && (c.Server == "" || c.Server == s.Server) && (c.Path == "" || c.Path == s.Path)
}

func (c *csiSource) hold(s *csiSource) bool {
	return s != nil && (c.Driver == "" || c.Driver == s.Driver) && contains(s.Attributes, c.Attributes)
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
