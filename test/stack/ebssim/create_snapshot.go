package ebssim

import (
	"errors"
	"maps"
	"slices"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/tree"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
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
	dirs := make([]string, len(volumes))
	for i, v := range volumes {
		dirs[i] = s.volumeDir(v.ID)
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

func (s *Sim) createSnapshots(c *call) (any, error) {
	volumes, err := s.volumesOfInstance(c)
	if err != nil {
		return nil, err
	}
	tags, err := newTags(c.params, "snapshot")
	if err != nil {
		return nil, err
	}
	tagsOf, err := copiedTags(c.params, tags)
	if err != nil {
		return nil, err
	}
	instance := s.instances[c.params.Get("InstanceSpecification.InstanceId")]
	var grants []grant
	for _, v := range volumes {
		merged := tagsOf(v)
		if err := countTags(merged); err != nil {
			return nil, err
		}
		grants = append(grants, created(c, merged, s.newSnapshotTarget(v), s.volumeTarget(v), instanceTarget(instance))...)
	}
	if err := s.permit(c, grants...); err != nil {
		return nil, err
	}
	taken, err := s.takeSnapshots(c, volumes, tagsOf)
	if err != nil {
		return nil, err
	}
	return s.snapshotInfos(c, taken), nil
}

// volumesOfInstance is the attached volumes that the request does not exclude.
func (s *Sim) volumesOfInstance(c *call) ([]*volume, error) {
	id := c.params.Get("InstanceSpecification.InstanceId")
	if id == "" {
		return nil, errMissing("InstanceSpecification.InstanceId")
	}
	if _, ok := s.instances[id]; !ok {
		return nil, errInstanceNotFound(id)
	}
	noBoot, err := c.params.Bool("InstanceSpecification.ExcludeBootVolume")
	if err != nil {
		return nil, err
	}
	excluded := c.params.List("InstanceSpecification.ExcludeDataVolumeId")
	for _, other := range excluded {
		if v := s.volumes[other]; v == nil || v.Boot || v.attachedTo(id) == nil {
			return nil, errValue("The volume '%s' is not a data volume of instance '%s'", other, id)
		}
	}
	var volumes []*volume
	for _, name := range slices.Sorted(maps.Keys(s.volumes)) {
		v := s.volumes[name]
		skip := v.Boot && noBoot != nil && *noBoot || slices.Contains(excluded, v.ID)
		if v.attachedTo(id) != nil && !skip {
			volumes = append(volumes, v)
		}
	}
	if len(volumes) == 0 {
		return nil, errValue("The instance '%s' has no volumes to snapshot", id)
	}
	return volumes, nil
}

// copiedTags gives each snapshot the request's tags over those of its volume, if
// the request wants the volume's tags.
func copiedTags(p wire.Params, tags map[string]string) (func(*volume) map[string]string, error) {
	switch source := p.Get("CopyTagsFromSource"); source {
	case "":
		return func(*volume) map[string]string { return maps.Clone(tags) }, nil
	case "volume":
		return func(v *volume) map[string]string {
			merged := map[string]string{}
			maps.Copy(merged, v.Tags)
			maps.Copy(merged, tags)
			return merged
		}, nil
	default:
		return nil, errValue("Value (%s) for parameter CopyTagsFromSource is invalid", source)
	}
}

type snapshotInfoXML struct {
	SnapshotID  string     `xml:"snapshotId"`
	VolumeID    string     `xml:"volumeId"`
	State       string     `xml:"state"`
	Started     string     `xml:"startTime"`
	Progress    string     `xml:"progress"`
	Owner       string     `xml:"ownerId"`
	Size        int        `xml:"volumeSize"`
	Description string     `xml:"description"`
	Encrypted   bool       `xml:"encrypted"`
	Tags        []wire.Tag `xml:"tagSet>item,omitempty"`
}

func (s *Sim) snapshotInfos(c *call, taken []*snapshot) any {
	var out struct {
		Snapshots []snapshotInfoXML `xml:"snapshotSet>item"`
	}
	for _, snap := range taken {
		out.Snapshots = append(out.Snapshots, snapshotInfoXML{
			SnapshotID: snap.ID, VolumeID: snap.VolumeID, State: snap.state(c.now), Started: wire.Time(snap.Started),
			Progress: percent(snap.progress(c.now)), Owner: s.options.AccountID, Size: snap.SizeGiB,
			Description: snap.Description, Encrypted: snap.Encrypted, Tags: tagSet(snap.Tags),
		})
	}
	return out
}

// copySnapshot copies within the account and Region, the only ones there are.
func (s *Sim) copySnapshot(c *call) (any, error) {
	if region := c.params.Get("SourceRegion"); region != s.options.Region {
		return nil, errValue("Invalid source region: %s", region)
	}
	from, err := s.snapshot(c, c.params.Get("SourceSnapshotId"))
	if err != nil {
		return nil, err
	}
	tags, err := newTags(c.params, "snapshot")
	if err != nil {
		return nil, err
	}
	made := target{kind: "snapshot", id: "*", keys: map[string]string{"ec2:Owner": s.options.AccountID}}
	if err := s.permit(c, created(c, tags, made, s.snapshotTarget(from))...); err != nil {
		return nil, err
	}
	if state := from.state(c.now); state != stateCompleted {
		return nil, errState("Snapshot '%s' is in state '%s', not 'completed'", from.ID, state)
	}
	snap, err := s.copied(c, from, tags)
	if err != nil {
		return nil, err
	}
	return struct {
		ID   string     `xml:"snapshotId"`
		Tags []wire.Tag `xml:"tagSet>item,omitempty"`
	}{snap.ID, tagSet(snap.Tags)}, nil
}

// copied makes the copy. As in EC2 its volume id means nothing.
func (s *Sim) copied(c *call, from *snapshot, tags map[string]string) (*snapshot, error) {
	v := &volume{SizeGiB: from.SizeGiB, Encrypted: from.Encrypted, KMSKeyID: from.KMSKeyID}
	if err := s.encrypt(c.params, v, from); err != nil {
		return nil, err
	}
	if pending, _ := s.pendingSnapshots(c.now); s.limits.PendingPerAccount > 0 && pending >= s.limits.PendingPerAccount {
		return nil, errPending(s.limits.PendingPerAccount)
	}
	snap := s.snapshotOf(c, v)
	snap.VolumeID, snap.Tags = "vol-ffffffffffffffff", tags
	var err error
	if snap.Bytes, err = tree.Copy(s.snapshotDir(from.ID), s.snapshotDir(snap.ID)); err != nil {
		return nil, err
	}
	s.inject(snap)
	s.snapshots[snap.ID] = snap
	return snap, s.journal.Put(kindSnapshot, snap.ID, snap)
}
