package ebssim

import (
	"fmt"
	"slices"
	"strings"
)

type zoneXML struct {
	Name   string `xml:"zoneName"`
	ID     string `xml:"zoneId"`
	State  string `xml:"zoneState"`
	Region string `xml:"regionName"`
	Type   string `xml:"zoneType"`
	Group  string `xml:"groupName"`
	OptIn  string `xml:"optInStatus"`
}

// localGroup is the group of a Local Zone, which is named as in us-east-1-bos-1a.
func localGroup(region, zone string) (string, bool) {
	place, ok := strings.CutPrefix(zone, region+"-")
	return region + "-" + strings.TrimRight(place, "abcdef"), ok
}

func (s *Sim) describeZones(c *call) (any, error) {
	if err := s.permit(c, grant{action: c.action}); err != nil {
		return nil, err
	}
	wanted, err := filters(c.params, "zone-name", "zone-id", "region-name", "state", "zone-type", "opt-in-status", "group-name")
	if err != nil {
		return nil, err
	}
	names, byID := c.params.List("ZoneName"), c.params.List("ZoneId")
	for _, name := range names {
		if !slices.Contains(s.options.Zones, name) {
			return nil, errValue("Invalid availability zone: [%s]", name)
		}
	}
	var out struct {
		Zones []zoneXML `xml:"availabilityZoneInfo>item"`
	}
	for i, name := range s.options.Zones {
		z := zoneXML{Name: name, ID: fmt.Sprintf("sim1-az%d", i+1), State: "available", Region: s.options.Region, Type: "availability-zone", Group: s.options.Region, OptIn: "opt-in-not-required"}
		if group, isLocal := localGroup(s.options.Region, name); isLocal {
			z.Type, z.Group, z.OptIn = "local-zone", group, "opted-in"
		}
		f := fields{"zone-name": {name}, "zone-id": {z.ID}, "region-name": {z.Region}, "state": {z.State}, "zone-type": {z.Type}, "opt-in-status": {z.OptIn}, "group-name": {z.Group}}
		asked := (len(names) == 0 || slices.Contains(names, name)) && (len(byID) == 0 || slices.Contains(byID, z.ID))
		if asked && matches(wanted, func() fields { return f }, nil) {
			out.Zones = append(out.Zones, z)
		}
	}
	return out, nil
}
