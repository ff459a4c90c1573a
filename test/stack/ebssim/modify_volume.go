package ebssim

import (
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

type modificationXML struct {
	VolumeID         string `xml:"volumeId"`
	State            string `xml:"modificationState"`
	TargetSize       int    `xml:"targetSize"`
	TargetIOPS       int    `xml:"targetIops"`
	TargetType       string `xml:"targetVolumeType"`
	TargetThroughput int    `xml:"targetThroughput,omitempty"`
	FromSize         int    `xml:"originalSize"`
	FromIOPS         int    `xml:"originalIops"`
	FromType         string `xml:"originalVolumeType"`
	FromThroughput   int    `xml:"originalThroughput,omitempty"`
	Progress         int    `xml:"progress"`
	Start            string `xml:"startTime"`
	End              string `xml:"endTime,omitempty"`
}

func (s *Sim) modifyVolume(c *call) (any, error) {
	v, err := s.volume(c, c.params.Get("VolumeId"))
	if err != nil {
		return nil, err
	}
	if err := s.permit(c, grant{action: c.action, on: []target{s.volumeTarget(v)}}); err != nil {
		return nil, err
	}
	if v.Change != nil && v.Change.progress(c.now) < 100 {
		return nil, wire.Invalid("IncorrectModificationState", "Volume %s is still being modified.", v.ID)
	}
	if v.state(c.now) == stateCreating {
		return nil, errState("The volume '%s' is in the 'creating' state.", v.ID)
	}
	next, err := modified(*v, c.params)
	if err != nil {
		return nil, err
	}
	next.Change = &modification{
		Start: c.now, End: c.now.Add(s.limits.VolumeModify.D()), From: v.performance(), Target: next.performance(),
	}
	*v = next
	return struct {
		Modification modificationXML `xml:"volumeModification"`
	}{v.modificationXML(c)}, s.journal.Put(kindVolume, v.ID, v)
}

// modified is the volume after a ModifyVolume. It keeps what the request does not
// name, and a type's default where the type changes.
func modified(v volume, p wire.Params) (volume, error) {
	if t := p.Get("VolumeType"); t != "" && t != v.Type {
		v.Type, v.IOPS, v.Throughput = t, 0, 0
	}
	size, err := p.Int("Size")
	if err != nil {
		return v, err
	}
	if size != nil {
		if *size < v.SizeGiB {
			return v, errValue("New size cannot be smaller than existing size")
		}
		v.SizeGiB = *size
	}
	iops, throughput := v.IOPS, v.Throughput
	if err := v.perform(p); err != nil {
		return v, err
	}
	if p.Get("Iops") == "" && iops > 0 && v.Type != "gp2" {
		v.IOPS = iops
	}
	if p.Get("Throughput") == "" && throughput > 0 {
		v.Throughput = throughput
	}
	return v, nil
}

func (v *volume) modificationXML(c *call) modificationXML {
	m := v.Change
	x := modificationXML{
		VolumeID: v.ID, State: m.state(c.now), Progress: m.progress(c.now), Start: wire.Time(m.Start),
		TargetSize: m.Target.SizeGiB, TargetIOPS: m.Target.IOPS, TargetType: m.Target.Type, TargetThroughput: m.Target.Throughput,
		FromSize: m.From.SizeGiB, FromIOPS: m.From.IOPS, FromType: m.From.Type, FromThroughput: m.From.Throughput,
	}
	if x.Progress == 100 {
		x.End = wire.Time(m.End)
	}
	return x
}

func (s *Sim) describeModifications(c *call) (any, error) {
	if err := s.permit(c, grant{action: c.action}); err != nil {
		return nil, err
	}
	wanted, err := filters(c.params, "volume-id", "modification-state")
	if err != nil {
		return nil, err
	}
	found, err := s.volumesOf(c, c.params.List("VolumeId"))
	if err != nil {
		return nil, err
	}
	var matching []string
	for _, v := range found {
		if v.Change != nil && matches(wanted, func() fields { return fields{"volume-id": {v.ID}, "modification-state": {v.Change.state(c.now)}} }, v.Tags) {
			matching = append(matching, v.ID)
		}
	}
	on, token, err := page(c.params, matching, 1, 500)
	var out struct {
		Modifications []modificationXML `xml:"volumeModificationSet>item"`
		Token         string            `xml:"nextToken,omitempty"`
	}
	out.Token = token
	for _, id := range on {
		out.Modifications = append(out.Modifications, s.volumes[id].modificationXML(c))
	}
	return out, err
}
