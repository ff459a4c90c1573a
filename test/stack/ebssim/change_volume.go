package ebssim

import (
	"errors"
	"os"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

func (s *Sim) deleteVolume(c *call) (any, error) {
	v, err := s.volume(c, c.params.Get("VolumeId"))
	if err != nil {
		return nil, err
	}
	if err := s.permit(c, grant{action: c.action, on: []target{s.volumeTarget(v)}}); err != nil {
		return nil, err
	}
	switch v.state(c.now) {
	case stateInUse:
		return nil, wire.Invalid("VolumeInUse", "Volume %s is currently attached to %s", v.ID, v.Attachments[0].Instance)
	case stateCreating:
		return nil, errState("The volume '%s' is in the 'creating' state.", v.ID)
	}
	return returned{Return: true}, s.removeVolume(v.ID)
}

// removeVolume removes the record and the data.
func (s *Sim) removeVolume(id string) error {
	delete(s.volumes, id)
	return errors.Join(s.journal.Delete(kindVolume, id), os.RemoveAll(s.volumeDir(id)))
}

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
		if v.Change != nil && matches(wanted, fields{"volume-id": {v.ID}, "modification-state": {v.Change.state(c.now)}}, v.Tags) {
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

func (s *Sim) attachVolume(c *call) (any, error) {
	v, instance, err := s.volumeAndInstance(c)
	if err != nil {
		return nil, err
	}
	device := c.params.Get("Device")
	if device == "" {
		return nil, errMissing("device")
	}
	if err := s.permit(c, grant{action: c.action, on: []target{instanceTarget(instance), s.volumeTarget(v)}}); err != nil {
		return nil, err
	}
	if err := s.attachable(c, v, instance, device); err != nil {
		return nil, err
	}
	a := attachment{Instance: instance.ID, Device: device, At: c.now, Attached: c.now.Add(s.limits.Attach.D())}
	v.Attachments = append(v.Attachments, a)
	return a.xml(v, c), s.journal.Put(kindVolume, v.ID, v)
}

func (s *Sim) volumeAndInstance(c *call) (*volume, Instance, error) {
	v, err := s.volume(c, c.params.Get("VolumeId"))
	if err != nil {
		return nil, Instance{}, err
	}
	id := c.params.Get("InstanceId")
	if id == "" {
		return nil, Instance{}, errMissing("instanceId")
	}
	instance, ok := s.instances[id]
	if !ok {
		return nil, Instance{}, errInstanceNotFound(id)
	}
	return v, instance, nil
}

func (s *Sim) attachable(c *call, v *volume, instance Instance, device string) error {
	switch {
	case v.Zone != instance.Zone:
		return wire.Invalid("InvalidVolume.ZoneMismatch", "The volume '%s' is not in the same availability zone as instance '%s'", v.ID, instance.ID)
	case v.state(c.now) == stateCreating:
		return errState("Unable to attach volume %s: it is not 'available'.", v.ID)
	case len(v.Attachments) > 0 && (!v.MultiAttach || v.attachedTo(instance.ID) != nil):
		return wire.Invalid("VolumeInUse", "%s is already attached to an instance", v.ID)
	}
	for _, other := range s.volumes {
		if a := other.attachedTo(instance.ID); a != nil && a.Device == device {
			return errValue("Invalid value '%s' for unixDevice. Attachment point %s is already in use", device, device)
		}
	}
	return nil
}

func (s *Sim) detachVolume(c *call) (any, error) {
	v, err := s.volume(c, c.params.Get("VolumeId"))
	if err != nil {
		return nil, err
	}
	a, err := v.toDetach(c)
	if err != nil {
		return nil, err
	}
	on := []target{s.volumeTarget(v), instanceTarget(s.instances[a.Instance])}
	if err := s.permit(c, grant{action: c.action, on: on}); err != nil {
		return nil, err
	}
	a.Detached = c.now.Add(s.limits.Attach.D())
	answer := a.xml(v, c)
	v.sweep(c.now)
	return answer, s.journal.Put(kindVolume, v.ID, v)
}

func (v *volume) toDetach(c *call) (*attachment, error) {
	if len(v.Attachments) == 0 {
		return nil, errState("Volume '%s' is in the 'available' state.", v.ID)
	}
	instance := c.params.Get("InstanceId")
	if instance == "" && len(v.Attachments) > 1 {
		return nil, errMissing("instanceId")
	}
	for i := range v.Attachments {
		a := &v.Attachments[i]
		if instance != "" && a.Instance != instance {
			continue
		}
		if device := c.params.Get("Device"); device != "" && device != a.Device {
			break
		}
		return a, nil
	}
	return nil, wire.Invalid("InvalidAttachment.NotFound", "The volume '%s' is not attached to instance '%s' as device '%s'", v.ID, instance, c.params.Get("Device"))
}
