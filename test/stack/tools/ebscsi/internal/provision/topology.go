package provision

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/container-storage-interface/spec/lib/go/csi"
	v1 "k8s.io/api/core/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/driver"
)

// topology says in which zone the volume must be: that of the node which the
// scheduler chose; without one, a zone that has nodes and that the class allows,
// by the claim's name, so that a repeated call asks for the same.
func (p *Provisioner) topology(o controller.ProvisionOptions) (*csi.TopologyRequirement, error) {
	if o.SelectedNodeName != "" {
		zone, err := p.zoneOf(o.SelectedNodeName)
		return in(zone), err
	}
	zones, err := p.zones()
	if err != nil {
		return nil, err
	}
	allowed := allowedZones(o.StorageClass)
	switch {
	case len(zones) == 0: // a stack without nodes: any zone the class allows, or any at all
		zones = allowed
	case len(allowed) > 0:
		zones = slices.DeleteFunc(zones, func(zone string) bool { return !slices.Contains(allowed, zone) })
		if len(zones) == 0 {
			return nil, fmt.Errorf("no node is in a zone that class %s allows (%v)", o.StorageClass.Name, allowed)
		}
	}
	if len(zones) == 0 {
		return nil, nil
	}
	hash := fnv.New32a()
	hash.Write([]byte(o.PVC.Namespace + "/" + o.PVC.Name))
	return in(zones[int(hash.Sum32())%len(zones)]), nil
}

func in(zone string) *csi.TopologyRequirement {
	only := []*csi.Topology{{Segments: map[string]string{driver.ZoneKey: zone}}}
	return &csi.TopologyRequirement{Requisite: only, Preferred: only}
}

func (p *Provisioner) zoneOf(name string) (string, error) {
	node, err := p.Nodes.Get(name)
	if err != nil {
		return "", err
	}
	if zone := zoneLabel(node); zone != "" {
		return zone, nil
	}
	return "", fmt.Errorf("node %s has no label %s", name, driver.KnownZoneKey)
}

func zoneLabel(node *v1.Node) string {
	if zone := node.Labels[driver.ZoneKey]; zone != "" {
		return zone
	}
	return node.Labels[driver.KnownZoneKey]
}

func (p *Provisioner) zones() ([]string, error) {
	nodes, err := p.Nodes.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	var zones []string
	for _, node := range nodes {
		if zone := zoneLabel(node); zone != "" && !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	slices.Sort(zones)
	return zones, nil
}

func allowedZones(class *storage.StorageClass) []string {
	var zones []string
	for _, term := range class.AllowedTopologies {
		for _, expression := range term.MatchLabelExpressions {
			if expression.Key == driver.ZoneKey || expression.Key == driver.KnownZoneKey {
				zones = append(zones, expression.Values...)
			}
		}
	}
	return zones
}
