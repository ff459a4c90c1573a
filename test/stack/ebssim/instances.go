package ebssim

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

const (
	bootDevice  = "/dev/xvda"
	bootSizeGiB = 8
)

// AddInstance makes an instance known, with a boot volume. One that is known
// already gets the new zone, name and tags.
func (s *Sim) AddInstance(instance Instance) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addInstance(instance, s.clock.Now())
}

func (s *Sim) addInstance(instance Instance, now time.Time) error {
	if err := s.options.checkInstance(instance); err != nil {
		return fmt.Errorf("instance.%w", err)
	}
	if old, ok := s.instances[instance.ID]; ok {
		instance.RootVolume = old.RootVolume
	}
	if instance.RootVolume == "" {
		boot, err := s.bootVolume(instance, now)
		if err != nil {
			return fmt.Errorf("instance %s: %w", instance.ID, err)
		}
		instance.RootVolume = boot.ID
	}
	s.instances[instance.ID] = instance
	return s.journal.Put(kindInstance, instance.ID, instance)
}

func (s *Sim) bootVolume(instance Instance, now time.Time) (*volume, error) {
	v := &volume{
		ID: newID("vol"), Zone: instance.Zone, Type: "gp3", SizeGiB: bootSizeGiB, IOPS: 3000, Throughput: 125,
		Boot: true, Created: now, Visible: now, Ready: now,
		Attachments: []attachment{{Instance: instance.ID, Device: bootDevice, At: now, Attached: now}},
	}
	if err := os.Mkdir(s.volumeDir(v.ID), 0o755); err != nil {
		return nil, err
	}
	s.volumes[v.ID] = v
	return v, s.journal.Put(kindVolume, v.ID, v)
}

// RemoveInstance forgets an instance. Its boot volume goes with it, its data
// volumes are detached. An unknown one is no error.
func (s *Sim) RemoveInstance(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	for _, v := range s.volumes {
		a := v.attachedTo(id)
		if a == nil {
			continue
		}
		a.Detached = now
		v.sweep(now)
		err := s.journal.Put(kindVolume, v.ID, v)
		if v.Boot {
			err = s.removeVolume(v.ID)
		}
		if err != nil {
			return fmt.Errorf("remove instance %s: %w", id, err)
		}
	}
	delete(s.instances, id)
	return s.journal.Delete(kindInstance, id)
}

type instanceXML struct {
	ID         string     `xml:"instanceId"`
	Type       string     `xml:"instanceType"`
	StateCode  int        `xml:"instanceState>code"`
	State      string     `xml:"instanceState>name"`
	DNS        string     `xml:"privateDnsName"`
	Zone       string     `xml:"placement>availabilityZone"`
	Tenancy    string     `xml:"placement>tenancy"`
	RootDevice string     `xml:"rootDeviceName"`
	RootType   string     `xml:"rootDeviceType"`
	Devices    []diskXML  `xml:"blockDeviceMapping>item,omitempty"`
	Tags       []wire.Tag `xml:"tagSet>item,omitempty"`
}

type diskXML struct {
	Device   string `xml:"deviceName"`
	VolumeID string `xml:"ebs>volumeId"`
	Status   string `xml:"ebs>status"`
	At       string `xml:"ebs>attachTime"`
	Delete   bool   `xml:"ebs>deleteOnTermination"`
}

type reservationXML struct {
	ID        string        `xml:"reservationId"`
	Owner     string        `xml:"ownerId"`
	Instances []instanceXML `xml:"instancesSet>item"`
}

const (
	runningCode = 16 // EC2's code of the state running
	running     = "running"
)

func (s *Sim) describeInstances(c *call) (any, error) {
	if err := s.permit(c, grant{action: c.action}); err != nil {
		return nil, err
	}
	wanted, err := filters(c.params, "availability-zone", "instance-id", "instance-state-name", "private-dns-name",
		"block-device-mapping.volume-id", "block-device-mapping.device-name")
	if err != nil {
		return nil, err
	}
	ids := c.params.List("InstanceId")
	for _, id := range ids {
		if _, ok := s.instances[id]; !ok {
			return nil, errInstanceNotFound(id)
		}
	}
	if len(ids) == 0 {
		ids = slices.Collect(maps.Keys(s.instances))
	}
	var shown []string
	found := map[string]instanceXML{}
	for _, id := range ids {
		x := s.instanceXML(c, s.instances[id])
		if matches(wanted, x.fields, s.instances[id].Tags) {
			shown, found[id] = append(shown, id), x
		}
	}
	on, token, err := page(c.params, shown, 5, 1000)
	if err != nil {
		return nil, err
	}
	return s.reservations(on, found, token), nil
}

func (s *Sim) reservations(ids []string, found map[string]instanceXML, token string) any {
	var out struct {
		Reservations []reservationXML `xml:"reservationSet>item"`
		Token        string           `xml:"nextToken,omitempty"`
	}
	out.Token = token
	for _, id := range ids {
		out.Reservations = append(out.Reservations, reservationXML{
			ID: "r" + id[1:], Owner: s.options.AccountID, Instances: []instanceXML{found[id]},
		})
	}
	return out
}

func (x instanceXML) fields() fields {
	f := fields{
		"availability-zone": {x.Zone}, "instance-id": {x.ID}, "instance-state-name": {x.State}, "private-dns-name": {x.DNS},
	}
	for _, d := range x.Devices {
		f["block-device-mapping.volume-id"] = append(f["block-device-mapping.volume-id"], d.VolumeID)
		f["block-device-mapping.device-name"] = append(f["block-device-mapping.device-name"], d.Device)
	}
	return f
}

func (s *Sim) instanceXML(c *call, i Instance) instanceXML {
	x := instanceXML{
		ID: i.ID, Type: "m7g.large", StateCode: runningCode, State: running, DNS: i.PrivateDNS, Zone: i.Zone, Tenancy: "default",
		RootDevice: bootDevice, RootType: "ebs", Tags: tagSet(i.Tags),
	}
	for _, id := range slices.Sorted(maps.Keys(s.volumes)) {
		if a := s.volumes[id].attachedTo(i.ID); a != nil {
			x.Devices = append(x.Devices, diskXML{
				Device: a.Device, VolumeID: id, Status: a.state(c.now), At: wire.Time(a.At), Delete: s.volumes[id].Boot,
			})
		}
	}
	return x
}
