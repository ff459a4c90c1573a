package ebssim

import (
	"fmt"
	"strings"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

type volumeXML struct {
	VolumeID    string          `xml:"volumeId"`
	Size        int             `xml:"size"`
	SnapshotID  string          `xml:"snapshotId"`
	Zone        string          `xml:"availabilityZone"`
	Status      string          `xml:"status"`
	Created     string          `xml:"createTime"`
	Attachments []attachmentXML `xml:"attachmentSet>item"`
	Tags        []wire.Tag      `xml:"tagSet>item,omitempty"`
	Type        string          `xml:"volumeType"`
	IOPS        int             `xml:"iops,omitempty"`
	Throughput  int             `xml:"throughput,omitempty"`
	Encrypted   bool            `xml:"encrypted"`
	KMSKeyID    string          `xml:"kmsKeyId,omitempty"`
	InitRate    int             `xml:"volumeInitializationRate,omitempty"`
	MultiAttach bool            `xml:"multiAttachEnabled"`
	Outpost     string          `xml:"outpostArn,omitempty"`
}

type attachmentXML struct {
	VolumeID   string `xml:"volumeId"`
	InstanceID string `xml:"instanceId"`
	Device     string `xml:"device"`
	Status     string `xml:"status"`
	At         string `xml:"attachTime"`
	Delete     bool   `xml:"deleteOnTermination"`
}

// volume finds one to work with: visible and not deleted.
func (s *Sim) volume(c *call, id string) (*volume, error) {
	v, err := s.listedVolume(c, id)
	if err == nil && v.isGone(c.now) {
		return nil, errVolumeNotFound(id)
	}
	return v, err
}

// listedVolume finds one that this call shows.
func (s *Sim) listedVolume(c *call, id string) (*volume, error) {
	if id == "" {
		return nil, errMissing("volumeId")
	}
	if !strings.HasPrefix(id, "vol-") {
		return nil, wire.Invalid("InvalidVolumeID.Malformed", "The volume ID '%s' is malformed", id)
	}
	v, ok := s.volumes[id]
	if !ok || !c.showsVolume(v) {
		return nil, errVolumeNotFound(id)
	}
	return v, nil
}

func (s *Sim) describeVolumes(c *call) (any, error) {
	if err := s.permit(c, grant{action: c.action}); err != nil {
		return nil, err
	}
	ids := c.params.List("VolumeId")
	if len(ids) > 0 && c.params.Get("MaxResults") != "" {
		return nil, errCombination("The parameter volumeSet cannot be used with the parameter maxResults")
	}
	wanted, err := filters(c.params, volumeFilters()...)
	if err != nil {
		return nil, err
	}
	found, err := s.volumesOf(c, ids)
	if err != nil {
		return nil, err
	}
	var matching []string
	for _, v := range found {
		if matches(wanted, func() fields { return v.fields(c) }, c.knownTags(v.Created, v.Visible, v.Tags)) {
			matching = append(matching, v.ID)
		}
	}
	on, token, err := page(c.params, matching, 5, 1000)
	if err != nil {
		return nil, err
	}
	out := struct {
		Volumes []volumeXML `xml:"volumeSet>item"`
		Token   string      `xml:"nextToken,omitempty"`
	}{Token: token}
	for _, id := range on {
		out.Volumes = append(out.Volumes, s.volumes[id].xml(c))
	}
	return out, nil
}

// volumesOf is those of the ids, or all that are visible.
func (s *Sim) volumesOf(c *call, ids []string) ([]*volume, error) {
	var found []*volume
	for _, id := range ids {
		v, err := s.listedVolume(c, id)
		if err != nil {
			return nil, err
		}
		found = append(found, v)
	}
	if len(ids) > 0 {
		return found, nil
	}
	for _, v := range s.volumes {
		if c.showsVolume(v) {
			found = append(found, v)
		}
	}
	return found, nil
}

func volumeFilters() []string {
	return []string{
		"attachment.device", "attachment.instance-id", "attachment.status", "availability-zone", "create-time",
		"encrypted", "multi-attach-enabled", "size", "snapshot-id", "status", "volume-id", "volume-type",
	}
}

func (v *volume) fields(c *call) fields {
	f := fields{
		"availability-zone": {v.Zone}, "create-time": {wire.Time(v.Created)}, "encrypted": {fmt.Sprint(v.Encrypted)},
		"multi-attach-enabled": {fmt.Sprint(v.MultiAttach)}, "size": {fmt.Sprint(v.SizeGiB)}, "snapshot-id": {v.SnapshotID},
		"status": {v.state(c.now)}, "volume-id": {v.ID}, "volume-type": {v.Type},
	}
	for _, a := range v.Attachments {
		f["attachment.device"] = append(f["attachment.device"], a.Device)
		f["attachment.instance-id"] = append(f["attachment.instance-id"], a.Instance)
		f["attachment.status"] = append(f["attachment.status"], a.state(c.now))
	}
	return f
}

func (v *volume) xml(c *call) volumeXML {
	x := volumeXML{
		VolumeID: v.ID, Size: v.SizeGiB, SnapshotID: v.SnapshotID, Zone: v.Zone, Status: v.state(c.now),
		Created: wire.Time(v.Created), Tags: tagSet(v.Tags), Type: v.Type, IOPS: v.IOPS, Throughput: v.Throughput,
		Encrypted: v.Encrypted, KMSKeyID: v.KMSKeyID, MultiAttach: v.MultiAttach, InitRate: v.InitRate, Outpost: v.Outpost,
	}
	for _, a := range v.Attachments {
		x.Attachments = append(x.Attachments, a.xml(v, c))
	}
	return x
}

func (a attachment) xml(v *volume, c *call) attachmentXML {
	return attachmentXML{
		VolumeID: v.ID, InstanceID: a.Instance, Device: a.Device, Status: a.state(c.now),
		At: wire.Time(a.At), Delete: v.Boot,
	}
}
