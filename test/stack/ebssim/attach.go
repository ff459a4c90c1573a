package ebssim

import (
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

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
	case v.Outpost != instance.Outpost:
		return errValue("The volume '%s' and the instance '%s' are not on the same Outpost", v.ID, instance.ID)
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
	a.Detached = c.now.Add(s.limits.Detach.D())
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
