package ebssim

import (
	"errors"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/tree"
)

func (s *Sim) createSnapshot(c *call) (any, error) {
	v, err := s.volume(c, c.params.Get("VolumeId"))
	if err != nil {
		return nil, err
	}
	tags, err := newTags(c.params, "snapshot")
	if err != nil {
		return nil, err
	}
	if err := s.permit(c, created(c, tags, s.newSnapshotTarget(v), s.volumeTarget(v))...); err != nil {
		return nil, err
	}
	if err := s.snapshotable(c, v); err != nil {
		return nil, err
	}
	taken, err := s.takeSnapshots(c, []*volume{v}, func(*volume) map[string]string { return tags })
	if err != nil {
		return nil, err
	}
	return s.snapshotXML(c, taken[0]), nil
}

func (s *Sim) newSnapshotTarget(v *volume) target {
	return target{kind: "snapshot", id: "*", keys: map[string]string{
		"ec2:ParentVolume": s.arn("volume", v.ID), "ec2:Owner": s.options.AccountID,
	}}
}

func (s *Sim) snapshotable(c *call, v *volume) error {
	if v.state(c.now) == stateCreating {
		return errState("Volume '%s' is in the 'creating' state.", v.ID)
	}
	return nil
}

// takeSnapshots makes one snapshot of each volume, all of one moment: the lock
// keeps every other call away, and processes of pods that write to the volumes
// stand still meanwhile. All are made or none.
func (s *Sim) takeSnapshots(c *call, volumes []*volume, tagsOf func(*volume) map[string]string) ([]*snapshot, error) {
	if err := s.admitSnapshots(volumes, c.now); err != nil {
		return nil, err
	}
	taken, err := s.copyVolumes(c, volumes)
	if err != nil {
		return nil, err
	}
	for i, snap := range taken {
		snap.Tags = tagsOf(volumes[i])
		s.inject(snap)
		s.snapshots[snap.ID] = snap
		volumes[i].LastSnapshot = c.now
		err = errors.Join(err, s.journal.Put(kindSnapshot, snap.ID, snap), s.journal.Put(kindVolume, volumes[i].ID, volumes[i]))
	}
	return taken, err
}

func (s *Sim) copyVolumes(c *call, volumes []*volume) (taken []*snapshot, err error) {
	var dirs []string
	for _, v := range volumes {
		if len(v.Attachments) > 0 { // nobody writes to the others
			dirs = append(dirs, s.volumeDir(v.ID))
		}
	}
	thaw, err := freeze(dirs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, thaw()) }()
	for _, v := range volumes {
		snap := s.snapshotOf(c, v)
		if snap.Bytes, err = tree.Copy(s.volumeDir(v.ID), s.snapshotDir(snap.ID)); err != nil {
			return nil, err
		}
		taken = append(taken, snap)
	}
	return taken, nil
}

func (s *Sim) snapshotOf(c *call, v *volume) *snapshot {
	return &snapshot{
		ID: newID("snap"), VolumeID: v.ID, SizeGiB: v.SizeGiB, Description: c.params.Get("Description"),
		Encrypted: v.Encrypted, KMSKeyID: v.KMSKeyID, Started: c.now, Visible: c.now.Add(s.limits.Visibility.D()),
		Completes: c.now.Add(s.limits.snapshotTime(v.SizeGiB)),
	}
}
