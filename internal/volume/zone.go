package volume

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// ErrNotEBS: a PersistentVolume has no source that is an EBS volume.
var ErrNotEBS = errors.New("not an EBS volume")

// DriverEBS is the CSI driver of EBS volumes, and DriverEBSAuto the one that EKS Auto Mode
// brings with it.
const (
	DriverEBS     = "ebs.csi.aws.com"
	DriverEBSAuto = "ebs.csi.eks.amazonaws.com"
)

// IsEBSDriver says that the volumes and snapshots of a CSI driver are EBS's.
func IsEBSDriver(driver string) bool { return driver == DriverEBS || driver == DriverEBSAuto }

// zoneKeys are the labels and node labels by which a volume says in which zone it is,
// the ones to be believed first.
func zoneKeys() []string {
	return []string{
		corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone,
		"topology.ebs.csi.aws.com/zone", "topology.ebs.csi.eks.amazonaws.com/zone",
	}
}

// Zone is the availability zone that a PersistentVolume says it is in, by its labels or
// by the nodes it may be used on; "" if it does not say.
func Zone(pv *corev1.PersistentVolume) string {
	for _, key := range zoneKeys() {
		if zone := pv.Labels[key]; zone != "" {
			return zone
		}
	}
	if pv.Spec.NodeAffinity == nil || pv.Spec.NodeAffinity.Required == nil {
		return ""
	}
	for _, term := range pv.Spec.NodeAffinity.Required.NodeSelectorTerms {
		for _, e := range term.MatchExpressions {
			if slices.Contains(zoneKeys(), e.Key) && len(e.Values) > 0 {
				return e.Values[0]
			}
		}
	}
	return ""
}

// SetZone makes a PersistentVolume say that it is in a zone, in place, wherever it said
// in which one it was. What is not shaped like a PersistentVolume is left as it is.
func SetZone(pv map[string]any, zone string) {
	labels := childOf(childOf(pv, "metadata"), "labels")
	for _, key := range zoneKeys() {
		if _, ok := labels[key]; ok {
			labels[key] = zone
		}
	}
	required := childOf(childOf(childOf(pv, "spec"), "nodeAffinity"), "required")
	for _, term := range childrenOf(required, "nodeSelectorTerms") {
		for _, e := range childrenOf(term, "matchExpressions") {
			if key, _ := e["key"].(string); slices.Contains(zoneKeys(), key) {
				e["operator"], e["values"] = "In", []any{zone}
			}
		}
	}
}

// SetVolumeID points a PersistentVolume at an EBS volume, in place: by the CSI handle
// or, for the in-tree source, as aws://<zone>/<id>. The error wraps ErrNotEBS.
func SetVolumeID(pv map[string]any, id, zone string) error {
	spec := childOf(pv, "spec")
	if csi := childOf(spec, "csi"); csi != nil {
		if driver, _ := csi["driver"].(string); driver != DriverEBS {
			return fmt.Errorf("set volume id: driver %q: %w", driver, ErrNotEBS)
		}
		csi["volumeHandle"] = id
		return nil
	}
	tree := childOf(spec, "awsElasticBlockStore")
	if tree == nil {
		return fmt.Errorf("set volume id: %w", ErrNotEBS)
	}
	tree["volumeID"] = "aws://" + zone + "/" + id
	return nil
}

// childOf is the object under key, nil if there is none.
func childOf(m map[string]any, key string) map[string]any {
	c, _ := m[key].(map[string]any)
	return c
}

// childrenOf are the objects of the array under key.
func childrenOf(m map[string]any, key string) []map[string]any {
	list, _ := m[key].([]any)
	var out []map[string]any
	for _, item := range list {
		if o, ok := item.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}
