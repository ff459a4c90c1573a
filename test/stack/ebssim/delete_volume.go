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
	v.Vanishes, v.Lingers = c.now, s.limits.lingersUntil(c.now)
	if !c.now.Before(v.Lingers) {
		return returned{Return: true}, s.removeVolume(v.ID)
	}
	return returned{Return: true}, errors.Join(os.RemoveAll(s.volumeDir(v.ID)), s.journal.Put(kindVolume, v.ID, v))
}

// removeVolume removes the record and the data.
func (s *Sim) removeVolume(id string) error {
	delete(s.volumes, id)
	return errors.Join(s.journal.Delete(kindVolume, id), os.RemoveAll(s.volumeDir(id)))
}
