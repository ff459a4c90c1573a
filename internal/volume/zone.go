package volume

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// keyZoneID tells a zone by an id that is another in each account, while the label of the zone
// does not differ.
const keyZoneID = "topology.k8s.aws/zone-id"

// isOutpostKey says that a label is of a volume on an AWS Outpost. A volume that is made of a
// snapshot is on none.
func isOutpostKey(key string) bool {
	name, ok := strings.CutPrefix(key, "topology.ebs.csi.aws.com/")
	return ok && slices.Contains([]string{"partition", "region", "account-id", "outpost-id"}, name)
}

// IsOnOutpost tells that a PersistentVolume is of a volume on an AWS Outpost.
func IsOnOutpost(pv map[string]any) bool {
	for key := range childOf(childOf(pv, "metadata"), "labels") {
		if isOutpostKey(key) {
			return true
		}
	}
	required := childOf(childOf(childOf(pv, "spec"), "nodeAffinity"), "required")
	for _, term := range childrenOf(required, "nodeSelectorTerms") {
		for _, e := range childrenOf(term, "matchExpressions") {
			if key, _ := e["key"].(string); isOutpostKey(key) {
				return true
			}
		}
	}
	return false
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
	maps.DeleteFunc(labels, func(key string, _ any) bool { return key == keyZoneID || isOutpostKey(key) })
	driver, _ := childOf(childOf(pv, "spec"), "csi")["driver"].(string)
	required := childOf(childOf(childOf(pv, "spec"), "nodeAffinity"), "required")
	for _, term := range childrenOf(required, "nodeSelectorTerms") {
		all, _ := term["matchExpressions"].([]any)
		all = slices.DeleteFunc(all, func(e any) bool {
			key, _ := childOf(map[string]any{"e": e}, "e")["key"].(string)
			return isOutpostKey(key)
		})
		if all != nil {
			term["matchExpressions"] = all
		}
		for _, e := range childrenOf(term, "matchExpressions") {
			if key, _ := e["key"].(string); key == keyZoneID || slices.Contains(zoneKeys(), key) {
				e["key"], e["operator"], e["values"] = portableKey(key, driver), "In", []any{zone}
			}
		}
	}
}

// portableKey is the node label by which a volume of a driver tells its zone: the one that it
// did, or the one that all nodes have.
func portableKey(key, driver string) string {
	of, isDrivers := strings.CutPrefix(key, "topology.ebs.")
	if key == keyZoneID || isDrivers && driver != "" && "ebs."+of != driver+"/zone" {
		return corev1.LabelTopologyZone
	}
	return key
}

const annotationProvisionedBy = "pv.kubernetes.io/provisioned-by"

// SetVolumeID points a PersistentVolume at an EBS volume, in place: by the CSI handle
// or, for the in-tree source, as aws://<zone>/<id>. driver is that of EBS's CSI drivers which
// is to have the volume, "" for its own. The error wraps ErrNotEBS.
func SetVolumeID(pv map[string]any, id, zone, driver string) error {
	spec := childOf(pv, "spec")
	if csi := childOf(spec, "csi"); csi != nil {
		old, _ := csi["driver"].(string)
		if !IsEBSDriver(old) {
			return fmt.Errorf("set volume id: driver %q: %w", old, ErrNotEBS)
		}
		csi["volumeHandle"], csi["driver"] = id, cmp.Or(driver, old)
		annotations := childOf(childOf(pv, "metadata"), "annotations")
		if annotations[annotationProvisionedBy] == old { // who deletes the volume
			annotations[annotationProvisionedBy] = csi["driver"]
		}
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
