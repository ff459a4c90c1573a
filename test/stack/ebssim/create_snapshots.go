package ebssim

import (
	"maps"
	"slices"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

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

// maxExcludedVolumes is EC2's, see InstanceSpecification in its API reference.
const maxExcludedVolumes = 40

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
	if len(excluded) > maxExcludedVolumes {
		return nil, errValue("Up to %d volumes can be excluded, not %d", maxExcludedVolumes, len(excluded))
	}
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
