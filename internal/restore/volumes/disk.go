package volumes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// disks looks at the snapshots of native volumes and chooses a zone for each new
// disk.
func (p *volumePlanner) disks(ctx context.Context) error {
	byLocation := map[string][]*restore.Volume{}
	p.each(restore.WayNative, func(v *restore.Volume) {
		n, ok := p.facts.natives[v.PV]
		if !ok || n.Status.ProviderSnapshotID == "" {
			p.refused.add(contract.ErrTypeInvalid, "volume %s: the list of snapshots has no snapshot of it although volumeinfo says there is one; the files are not of one backup", v.PV)
			return
		}
		if text := p.contradiction(n); text != "" {
			p.refused.add(contract.ErrTypeInvalid, "volume %s: %s", v.PV, text)
			return
		}
		v.Disk.Location = n.Spec.Location
		byLocation[n.Spec.Location] = append(byLocation[n.Spec.Location], v)
	})
	for _, name := range slices.Sorted(maps.Keys(byLocation)) {
		if err := p.location(ctx, name, byLocation[name]); err != nil {
			return err
		}
	}
	return p.place(ctx, byLocation)
}

// location opens a VolumeSnapshotLocation and looks its snapshots up.
func (p *volumePlanner) location(ctx context.Context, name string, volumes []*restore.Volume) error {
	if _, err := p.r.Snapshots.Find(name); err != nil {
		p.refused.add(contract.ErrTypeInvalid, "%d volumes (%s, …) were snapshotted through the VolumeSnapshotLocation %q: %v; add it under that very name, with the region that the snapshots are in",
			len(volumes), volumes[0].PV, name, err)
		return nil
	}
	_, loc, err := p.r.Snapshots.Get(ctx, name)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(volumes))
	for _, v := range volumes {
		ids = append(ids, p.facts.natives[v.PV].Status.ProviderSnapshotID)
	}
	found, err := loc.Snapshots(ctx, ids)
	if err != nil {
		return fmt.Errorf("look up snapshots: %w", err)
	}
	for _, v := range volumes {
		n := p.facts.natives[v.PV]
		snap, ok := found[n.Status.ProviderSnapshotID]
		if kind, text := sourceOf(n).unfit(snap, ok); text != "" {
			p.refused.add(kind, "volume %s: snapshot %s (location %s, region %s) %s", v.PV, n.Status.ProviderSnapshotID, name, loc.Region(), text)
			continue
		}
		v.Disk.Snapshot, v.Disk.Zone = snap, p.oldZone(v.PV)
		v.Disk.LikeSource(n, snap)
	}
	return p.sourceSpeed(ctx, loc, volumes)
}

// sourceSpeed asks EC2 for what a backup of Velero's does not record: IOPS and
// throughput of gp3 volumes, as long as the source still exists.
func (p *volumePlanner) sourceSpeed(ctx context.Context, loc *ebs.Location, volumes []*restore.Volume) error {
	var ids []string
	for _, v := range volumes {
		if v.Disk.UnknownSpeed() {
			ids = append(ids, v.Disk.Snapshot.VolumeID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := loc.Volumes(ctx, ids)
	if err != nil && !errors.Is(err, ebs.ErrDenied) {
		return fmt.Errorf("look up source volumes: %w", err)
	}
	for _, v := range volumes {
		if source, ok := found[v.Disk.Snapshot.VolumeID]; ok && v.Disk.UnknownSpeed() && source.Type == v.Disk.Type {
			v.Disk.IOPS, v.Disk.Throughput = source.IOPS, source.Throughput
		}
	}
	return nil
}

// oldZone is where a volume was.
func (p *volumePlanner) oldZone(pv string) string {
	if zone := p.facts.natives[pv].Spec.VolumeAZ; zone != "" {
		return zone
	}
	if info := p.facts.infos[pv].Native; info != nil && info.VolumeAZ != "" {
		return info.VolumeAZ
	}
	o := p.facts.volumes[pv]
	return volume.Zone(&o)
}

// place chooses zones in which nodes of the target cluster are.
func (p *volumePlanner) place(ctx context.Context, byLocation map[string][]*restore.Volume) error {
	if len(byLocation) == 0 {
		return nil
	}
	nodes, err := p.nodes(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(byLocation)) {
		zones, text, err := p.zones(ctx, name, nodeZones(nodes))
		if err != nil {
			return err
		}
		if len(zones) == 0 {
			v := byLocation[name][0]
			p.refused.add(contract.ErrTypeInvalid, "%d volumes (%s, … of zone %q) have no zone to go to: %s", len(byLocation[name]), v.PV, v.Disk.Zone, text)
			continue
		}
		if err := p.spread(ctx, byLocation[name], zones); err != nil {
			return err
		}
	}
	return nil
}

// zones are those of nodes that a location can make volumes in, or why there is none.
func (p *volumePlanner) zones(ctx context.Context, location string, ofNodes []string) ([]string, string, error) {
	if len(ofNodes) == 0 {
		return nil, "no node of the cluster has the label " + corev1.LabelTopologyZone + "; add nodes, then restore again", nil
	}
	if _, err := p.r.Snapshots.Find(location); err != nil {
		return ofNodes, "", nil //nolint:nilerr // refused already
	}
	_, loc, err := p.r.Snapshots.Get(ctx, location)
	if err != nil {
		return nil, "", err
	}
	able, err := loc.Zones(ctx)
	if errors.Is(err, ebs.ErrDenied) {
		return ofNodes, "", nil // EC2 will say so when a volume is made
	}
	if err != nil {
		return nil, "", fmt.Errorf("list zones: %w", err)
	}
	both := slices.DeleteFunc(slices.Clone(ofNodes), func(z string) bool { return !slices.Contains(able, z) })
	return both, fmt.Sprintf("the nodes are in %v, region %s of location %s has %v; add nodes in one of those, or correct config.region of the location", ofNodes, loc.Region(), location, able), nil
}

// spread gives every volume its zone; volumes that pods mount together stay together.
func (p *volumePlanner) spread(ctx context.Context, volumes []*restore.Volume, zones []string) error {
	old := make([]string, len(volumes))
	for i, v := range volumes {
		old[i] = v.Disk.Zone
	}
	groups, err := p.groups(ctx, volumes, old, zones)
	if err != nil {
		return err
	}
	for i, zone := range placeVolumes(old, groups, zones) {
		volumes[i].Disk.Zone = zone
		if old[i] != "" && zone != old[i] {
			p.reason(volumes[i], report.New(report.VolumeMoved, fmt.Sprintf("there is no node in zone %s: the volume is restored in %s", old[i], zone)))
		}
	}
	return nil
}
